# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the desk says in rooms: rows for the outbox, written with the decision they tell of."""

import datetime as dt
import json
from dataclasses import asdict, dataclass, replace

from desk.context import Work
from desk.outbox.ranks import Rank
from desk.world import World
from storage.models import Outbox, OutboxState, Room, Ticket
from storage.sealing.columns import to_json
from storage.unit import Unit

REACT = "react"
DONE_KEY = "👍"
"""The bot's reaction to a command where nothing else is to be said."""
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
    calls: bool = False
    """Whoever is responsible for the ticket is pinged, as things stand when this leaves."""
    tickets: tuple[int, ...] = ()
    """The new tickets that a ping tells of; others are added while it waits."""
    file: File | None = None


@dataclass(frozen=True)
class Slot:
    """Where and for what an outbox row stands."""

    kind: str
    lane: str
    room: int | None = None
    ticket: int | None = None
    message: int | None = None


_LANES = {Rank.ANSWER: "/answers", Rank.EDIT: "/edits", Rank.USUAL: ""}


def lane_of(room: Room, rank: Rank = Rank.USUAL) -> str:
    """Return a lane of a room: what is said in one room keeps its order, answers to people apart."""
    return f"room:{room.id}{_LANES[rank]}"


def rank_of(lane: str) -> Rank | None:
    """Return how urgent a room's lane is; None for lanes that lead elsewhere."""
    if not lane.startswith("room:"):
        return None
    return next(rank for rank, end in _LANES.items() if lane.endswith(end))


def aside_of(row: Outbox) -> str:
    """Return the lane beside its own where a row waits with all else of its ticket, holding up no other."""
    main = row.lane.partition("/")[0]
    return f"{main}/ticket:{row.ticket_id}" if row.ticket_id is not None else f"{main}/row:{row.id}"


def is_aside(row: Outbox) -> bool:
    """Tell whether a row was put beside its lane."""
    return row.lane == aside_of(row)


def say_to_json(say: Say) -> str:
    """Return the payload of a row that says something."""
    return to_json(asdict(say))


def say_from_json(payload: str) -> Say:
    """Return what `say_to_json` was given."""
    fields = json.loads(payload)
    file = fields.pop("file")
    mentions, tickets = tuple(fields.pop("mentions")), tuple(fields.pop("tickets", ()))
    return Say(**fields, mentions=mentions, tickets=tickets, file=File(**file) if file else None)


async def put(work: Work, slot: Slot, payload: str | None = None) -> Outbox:
    """Write an outbox row; `ref`, its transaction id, is fixed from here on."""
    if slot.ticket is not None and rank_of(slot.lane) is Rank.ANSWER:
        await _hurry(work.unit, slot)
    now = work.world.now()
    row = Outbox(
        ref=work.world.token(),
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
    return work.unit.outbox.add(row, payload)


async def _hurry(unit: Unit, slot: Slot) -> None:
    """Let the announcement go before the answer that hangs on it."""
    for row in await unit.outbox.announcements(slot.ticket or 0):
        if row.state is OutboxState.PENDING and row.room == slot.room and not is_aside(row):
            row.lane = slot.lane


def finish(world: World, row: Outbox, state: OutboxState) -> None:
    """End a row, which keeps no words: its payload goes, and the key it was sealed with.

    A carrier that tells of its work in a unit of its own ends its row there too: a crash right after
    it would else have it told twice.
    """
    row.state = state
    row.done_at = world.now()
    row.payload_sealed = None
    row.wrapped_key = None


async def say_in(
    work: Work, room: Room, say: Say, *, ticket: Ticket | None = None, rank: Rank = Rank.USUAL
) -> None:
    """Say something in a room; a file follows as an event of its own."""
    number = ticket.id if ticket else None
    lane, words = lane_of(room, rank), replace(say, file=None)
    await put(work, Slot("say", lane, room=room.id, ticket=number), say_to_json(words))
    if say.file is not None:
        await put(work, Slot("file", lane, room=room.id, ticket=number), say_to_json(say))


async def say_in_thread(
    work: Work, ticket: Ticket, text: str, *, quote: str = "", rank: Rank = Rank.USUAL
) -> None:
    """Say something in a ticket's thread."""
    room = await home_of(work.unit, ticket)
    thread = ticket.event_id or IN_TICKET_THREAD
    await say_in(work, room, Say(text, quote=quote, thread=thread), ticket=ticket, rank=rank)


async def answer_in_thread(work: Work, ticket: Ticket, text: str) -> None:
    """Say in a ticket's thread what came of something that a person did."""
    await say_in_thread(work, ticket, text, rank=Rank.ANSWER)


async def show_file(work: Work, ticket: Ticket, file: File) -> None:
    """Put a file into a ticket's thread that a person is to see at once."""
    room = await home_of(work.unit, ticket)
    slot = Slot("file", lane_of(room, Rank.ANSWER), room=room.id, ticket=ticket.id)
    await put(work, slot, say_to_json(Say("", thread=IN_TICKET_THREAD, file=file)))


async def react(work: Work, slot: Slot, event_id: str, key: str) -> None:
    """React to an event; the key is in clear, so it holds no secret."""
    await put(work, slot, to_json({"event_id": event_id, "key": key}))


async def confirm(work: Work, room: Room, event_id: str) -> None:
    """Show where a command stands that it was obeyed."""
    slot = Slot(REACT, lane_of(room, Rank.ANSWER), room=room.id)
    await react(work, slot, event_id, DONE_KEY)


async def home_of(unit: Unit, ticket: Ticket) -> Room:
    """Return the room in which a ticket is worked on."""
    room = await unit.rooms.of_queue(ticket.queue)
    if room is None:
        raise LookupError(f"queue {ticket.queue} has no room row")
    return room


async def announce(work: Work, ticket: Ticket) -> None:
    """Announce a ticket in its room: the message that roots its thread."""
    room = await home_of(work.unit, ticket)
    await put(work, Slot("announce", lane_of(room), room=room.id, ticket=ticket.id))


async def show_state(work: Work, ticket: Ticket, *, rank: Rank = Rank.EDIT) -> None:
    """Edit the announcement, so that it shows how the ticket stands; one edit that waits is enough."""
    room = await home_of(work.unit, ticket)
    announcements = [row.id for row in await work.unit.outbox.announcements(ticket.id) if row.room == room.id]
    for row in await work.unit.outbox.pending("announce.edit", ticket=ticket.id, room=room.id):
        # What waits since before the newest announcement belongs to the one before it.
        if row.id > max(announcements, default=0):
            finish(work.world, row, OutboxState.DROPPED)
    await put(work, Slot("announce.edit", lane_of(room, rank), room=room.id, ticket=ticket.id))


async def tell_operators(work: Work, text: str) -> None:
    """Tell the operators' room, if there is one."""
    room = await work.unit.rooms.of_operators()
    if room is not None:
        await say_in(work, room, Say(text))


def ago(then: dt.datetime, now: dt.datetime) -> str:
    """Return an age in words short enough for a list: "5 min", "3 h", "2 d"."""
    age = max(dt.timedelta(), now - then)
    if age < dt.timedelta(hours=1):
        return f"{age // dt.timedelta(minutes=1)} min"
    if age < dt.timedelta(days=2):
        return f"{age // dt.timedelta(hours=1)} h"
    return f"{age // dt.timedelta(days=1)} d"
