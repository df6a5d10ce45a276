# SPDX-License-Identifier: AGPL-3.0-or-later
"""How rooms are called in sentences, and links to them."""

from storage.models import Room
from storage.states import RoomPurpose


def name_of(room: Room) -> str:
    """Return what a room is called where it is spoken of."""
    if room.purpose is RoomPurpose.QUEUE:
        return f"the room of “{room.queue}”"
    if room.purpose is RoomPurpose.OPERATORS:
        return "the operators' room"
    return f"the disposable room of ticket {room.ticket_id}" if room.ticket_id else "a disposable room"
