# SPDX-License-Identifier: AGPL-3.0-or-later
"""How rooms are called in sentences, and links to them."""

from urllib.parse import quote

from storage.models import Room, RoomPurpose

_PLAIN = "!:$@"
"""What clients leave as it is in such links, although it may be quoted."""


def link_to(room: Room, event_id: str | None = None) -> str:
    """Return a link into a room, to one of its events or none; empty while the room is not made.

    Specification, "matrix.to navigation". Ids of rooms since version 12 name no server to go by.
    """
    if room.room_id is None:
        return ""
    event = f"/{quote(event_id, safe=_PLAIN)}" if event_id else ""
    server = room.room_id.partition(":")[2]
    via = f"?via={quote(server)}" if server else ""
    return f"https://matrix.to/#/{quote(room.room_id, safe=_PLAIN)}{event}{via}"


def name_of(room: Room) -> str:
    """Return what a room is called where it is spoken of."""
    if room.purpose is RoomPurpose.QUEUE:
        return f"the room of “{room.queue}”"
    if room.purpose is RoomPurpose.OPERATORS:
        return "the operators' room"
    return f"the disposable room of ticket {room.ticket_id}" if room.ticket_id else "a disposable room"
