# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the desk says in rooms: rows for the outbox, written with the decision they tell of."""

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from desk.house import House
from desk.shifts import on_duty
from desk.world import World
from storage.models import Outbox, Room, Ticket
from storage.sealed import to_json
from storage.states import OutboxState
from storage.unit import Unit

IN_TICKET_THREAD = "ticket"
"""Stands for the event id of the ticket's announcement, which may not be known yet."""


@dataclass(frozen=True)
class File:
    """A text that goes along as an encrypted file."""

    name: str
    text: str


@dataclass(frozen=True)
class Say:
    """Something to say in a room: `text` is ours, `quote` is somebody else's words, shown as mere text."""

    text: str
    quote: str = ""
    thread: str | None = None
    """Event id of the thread's root, or IN_TICKET_THREAD."""
    reply_to: str | None = None
    mentions: tuple[str, ...] = ()
    """Matrix user ids to ping; without any, nobody is pinged whatever the text says."""
    file: File | None = None


@dataclass(frozen=True)
class Slot:
    """Where and for what an outbox row stands."""

    kind: str
    lane: str
    room: int | None = None
    ticket: int | None = None
    message: int | None = None


def lane_of(room: Room) -> str:
    """Return the lane of a room: what is said in one room keeps its order."""
    return f"room:{room.id}"


def aside_of(row: Outbox) -> str:
    """Return the lane beside its own where a row waits with all else of its ticket, holding up no other."""
    main = row.lane.partition("/")[0]
    return f"{main}/ticket:{row.ticket_id}" if row.ticket_id is not None else f"{main}/row:{row.id}"


def say_to_json(say: Say) -> str:
    """Return the payload of a row that says something."""
    return to_json(asdict(say))


def say_from_json(payload: str) -> Say:
    """Return what `say_to_json` was given."""
    fields = json.loads(payload)
    file = fields.pop("file")
    mentions = tuple(fields.pop("mentions"))
    return Say(**fields, mentions=mentions, file=File(**file) if file else None)


async def put(unit: Unit, world: World, slot: Slot, payload: str | None = None) -> Outbox:
    """Write an outbox row; `ref`, its transaction id, is fixed from here on."""
    now = world.now()
    row = Outbox(
        ref=world.token(),
        kind=slot.kind,
        lane=slot.lane,
        room=slot.room,
        ticket_id=slot.ticket,
        message_id=slot.message,
        state=OutboxState.PENDING,
        tries=0,
        created_at=now,
        due_at=now,
    )
    return unit.outbox.add(row, payload)


def finish(world: World, row: Outbox, state: OutboxState) -> None:
    """End a row, which keeps no words: its payload goes, and the key it was sealed with.

    A carrier that tells of its work in a unit of its own ends its row there too: a crash right after
    it would else have it told twice.
    """
    row.state = state
    row.done_at = world.now()
    row.payload_sealed = None
    row.wrapped_key = None


async def say_in(unit: Unit, world: World, room: Room, say: Say, *, ticket: Ticket | None = None) -> None:
    """Say something in a room; a file follows as an event of its own."""
    number = ticket.id if ticket else None
    words = replace(say, file=None)
    await put(unit, world, Slot("say", lane_of(room), room=room.id, ticket=number), say_to_json(words))
    if say.file is not None:
        await put(unit, world, Slot("file", lane_of(room), room=room.id, ticket=number), say_to_json(say))


async def say_in_thread(unit: Unit, world: World, ticket: Ticket, text: str, *, quote: str = "") -> None:
    """Say something in a ticket's thread."""
    room = await home_of(unit, ticket)
    thread = ticket.event_id or IN_TICKET_THREAD
    await say_in(unit, world, room, Say(text, quote=quote, thread=thread), ticket=ticket)


async def say_file(unit: Unit, world: World, ticket: Ticket, file: File) -> None:
    """Put a file into a ticket's thread."""
    room = await home_of(unit, ticket)
    slot = Slot("file", lane_of(room), room=room.id, ticket=ticket.id)
    await put(unit, world, slot, say_to_json(Say("", thread=IN_TICKET_THREAD, file=file)))


async def react(unit: Unit, world: World, room: Room, event_id: str, keys: Sequence[str]) -> None:
    """React to an event; the keys are in clear, so they hold no secret."""
    for key in keys:
        payload = to_json({"event_id": event_id, "key": key})
        await put(unit, world, Slot("react", lane_of(room), room=room.id), payload)


async def home_of(unit: Unit, ticket: Ticket) -> Room:
    """Return the room in which a ticket is worked on."""
    room = await unit.rooms.of_queue(ticket.queue)
    if room is None:
        raise LookupError(f"queue {ticket.queue} has no room row")
    return room


async def announce(unit: Unit, world: World, ticket: Ticket) -> None:
    """Announce a ticket in its room: the message that roots its thread."""
    room = await home_of(unit, ticket)
    await put(unit, world, Slot("announce", lane_of(room), room=room.id, ticket=ticket.id))


async def show_state(unit: Unit, world: World, ticket: Ticket) -> None:
    """Edit the announcement, so that it shows how the ticket stands."""
    room = await home_of(unit, ticket)
    await put(unit, world, Slot("announce.edit", lane_of(room), room=room.id, ticket=ticket.id))


async def ping_duty(unit: Unit, world: World, house: House, ticket: Ticket) -> None:
    """Mention whoever is on duty, or the queue's fallback; say so when there is nobody."""
    room = await home_of(unit, ticket)
    on_shift = on_duty(house.shifts, ticket.queue, world.now())
    called = on_shift or house.queue(ticket.queue).fallback
    if on_shift:
        text = f"Ticket {ticket.id} is new; you are on duty."
    elif called:
        text = f"Ticket {ticket.id} is new; nobody is on duty, so you are asked."
    else:
        text = f"Ticket {ticket.id} is new, and nobody is on duty."
    say = Say(text, thread=IN_TICKET_THREAD, mentions=called)
    slot = Slot("ping", lane_of(room), room=room.id, ticket=ticket.id)
    await put(unit, world, slot, say_to_json(say))


async def tell_operators(unit: Unit, world: World, text: str) -> None:
    """Tell the operators' room, if there is one."""
    room = await unit.rooms.of_operators()
    if room is not None:
        await say_in(unit, world, room, Say(text))


def ago(then: dt.datetime, now: dt.datetime) -> str:
    """Return an age in words short enough for a list: "5 min", "3 h", "2 d"."""
    age = max(dt.timedelta(), now - then)
    if age < dt.timedelta(hours=1):
        return f"{age // dt.timedelta(minutes=1)} min"
    if age < dt.timedelta(days=2):
        return f"{age // dt.timedelta(hours=1)} h"
    return f"{age // dt.timedelta(days=1)} d"
