# SPDX-License-Identifier: AGPL-3.0-or-later
"""A lasting room whose place another room has taken: its row moves, its open tickets are announced anew."""

import hashlib
from dataclasses import replace

from desk.context import Work
from desk.outbox.kinds import Kind, Kinds
from desk.outbox.posts import (
    IN_TICKET_THREAD,
    announce,
    finish,
    lane_of,
    put,
    say_from_json,
    say_to_json,
)
from storage.models import Outbox, OutboxState, Room, RoomPurpose, RoomState
from storage.unit import Unit


def _moved(room_id: str) -> str:
    """The name of the fact that says where a room has gone; ids of rooms are too long for one."""
    return f"moved {hashlib.sha256(room_id.encode()).hexdigest()[:40]}"


async def move_room(work: Work, kinds: Kinds, room: Room, successor: str) -> None:
    """Have all that is said in this room said in its successor from now on."""
    await work.unit.facts.set(_moved(room.room_id or ""), successor)
    waiting = await work.unit.outbox.waiting_for(room.id)
    room.room_id, room.state = successor, RoomState.OPEN
    await work.unit.flush()
    moved: set[int | None] = {None}
    tickets = await work.unit.tickets.open_in(room.queue) if room.purpose is RoomPurpose.QUEUE else ()
    for ticket in tickets:
        # Threads stay behind in the old room, with the events that root them; so does an announcement that
        # is on its way there at this moment.
        ticket.event_id = None
        moved.add(ticket.id)
        await announce(work, ticket)
    await work.unit.flush()
    for row in waiting:
        if row.ticket_id in moved:
            await _say_anew(work, kinds[row.kind], room, row)


async def _say_anew(work: Work, kind: Kind, room: Room, row: Outbox) -> None:
    """Put what waits behind the new announcement; edits of the old room's events go."""
    if kind.is_said:
        say = say_from_json(row.payload or "")
        thread = IN_TICKET_THREAD if say.thread is not None and row.ticket_id is not None else None
        payload = say_to_json(replace(say, thread=thread, reply_to=None))
        await put(
            work, kind, lane_of(room), payload, room=room.id, ticket=row.ticket_id, message=row.message_id
        )
    finish(work.world, row, OutboxState.DROPPED)


async def newest(unit: Unit, room_id: str) -> str:
    """Return where a room that the config names has gone since."""
    seen = {room_id}
    while (successor := await unit.facts.get(_moved(room_id))) is not None:
        if successor in seen:
            break
        seen.add(successor)
        room_id = successor
    return room_id
