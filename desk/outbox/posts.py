# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the desk says in rooms: rows for the outbox, written with the decision they tell of."""

import datetime as dt
import json
from dataclasses import asdict, dataclass, replace
from typing import TypedDict, Unpack

from desk.context import Work
from desk.outbox.kinds import Kind
from desk.outbox.ranks import Rank
from desk.world import World
from storage.models import ANNOUNCEMENT, Outbox, OutboxState, Room, Ticket
from storage.sealing.columns import to_json
from storage.unit import Unit

SEND_KEY = "✅"
CANCEL_KEY = "❌"
CLAIM_KEY = "👀"
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


async def is_announcing(unit: Unit, room: Room) -> bool:
    """Tell whether an announcement has yet to come into a room, or is there and its id is not known yet.

    One that stands aside was refused: it is not in the room.
    """
    return await unit.outbox.is_pending(ANNOUNCEMENT, [lane_of(room, rank) for rank in Rank])


def say_to_json(say: Say) -> str:
    """Return the payload of a row that says something."""
    return to_json(asdict(say))


def say_from_json(payload: str) -> Say:
    """Return what `say_to_json` was given."""
    fields = json.loads(payload)
    file = fields.pop("file")
    mentions, tickets = tuple(fields.pop("mentions")), tuple(fields.pop("tickets", ()))
    return Say(**fields, mentions=mentions, tickets=tickets, file=File(**file) if file else None)


class About(TypedDict, total=False):
    """Numbers of the rows that an outbox row is about."""

    room: int | None
    ticket: int | None
    message: int | None


async def put(
    work: Work, kind: Kind, lane: str, payload: str | None = None, **about: Unpack[About]
) -> Outbox:
    """Write an outbox row; `ref`, its transaction id, is fixed from here on."""
    now = work.world.now()
    row = Outbox(
        ref=work.world.token(),
        kind=kind.name,
        lane=lane,
        room=about.get("room"),
        ticket_id=about.get("ticket"),
        message_id=about.get("message"),
        state=OutboxState.PENDING,
        tries=0,
        created_at=now,
        due_at=now,
    )
    if row.ticket_id is not None and rank_of(lane) is Rank.ANSWER:
        await _hurry(work.unit, row)
    return work.unit.outbox.add(row, payload)


async def _hurry(unit: Unit, answer: Outbox) -> None:
    """Let the announcement go before the answer that hangs on it."""
    for row in await unit.outbox.announcements(answer.ticket_id or 0):
        if row.state is OutboxState.PENDING and row.room == answer.room and not is_aside(row):
            row.lane = answer.lane


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
    await put(work, SAY, lane, say_to_json(words), room=room.id, ticket=number)
    if say.file is not None:
        await put(work, FILE, lane, say_to_json(say), room=room.id, ticket=number)


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
    payload = say_to_json(Say("", thread=IN_TICKET_THREAD, file=file))
    await put(work, FILE, lane_of(room, Rank.ANSWER), payload, room=room.id, ticket=ticket.id)


async def react(
    work: Work, room: Room, event_id: str, key: str, *, rank: Rank, draft: int | None = None
) -> None:
    """React to an event, which may be the preview of a draft; the key is in clear, so it holds no secret."""
    payload = to_json({"event_id": event_id, "key": key})
    await put(work, REACT, lane_of(room, rank), payload, room=room.id, message=draft)


def reaction_of(payload: str) -> tuple[str, str]:
    """Return event id and key of a reaction row."""
    fields = json.loads(payload)
    return fields["event_id"], fields["key"]


async def confirm(work: Work, room: Room, event_id: str) -> None:
    """Show where a command stands that it was obeyed."""
    await react(work, room, event_id, DONE_KEY, rank=Rank.ANSWER)


async def home_of(unit: Unit, ticket: Ticket) -> Room:
    """Return the room in which a ticket is worked on."""
    room = await unit.rooms.of_queue(ticket.queue)
    if room is None:
        raise LookupError(f"queue {ticket.queue} has no room row")
    return room


async def announce(work: Work, ticket: Ticket) -> None:
    """Announce a ticket in its room: the message that roots its thread."""
    room = await home_of(work.unit, ticket)
    await put(work, ANNOUNCE, lane_of(room), room=room.id, ticket=ticket.id)


async def show_state(work: Work, ticket: Ticket, *, rank: Rank = Rank.EDIT) -> None:
    """Edit the announcement, so that it shows how the ticket stands; one edit that waits is enough."""
    room = await home_of(work.unit, ticket)
    announcements = [row.id for row in await work.unit.outbox.announcements(ticket.id) if row.room == room.id]
    waiting = await work.unit.outbox.pending(ANNOUNCE_EDIT.name, ticket=ticket.id)
    for row in (each for each in waiting if each.room == room.id):
        # What waits since before the newest announcement belongs to the one before it.
        if row.id > max(announcements, default=0):
            finish(work.world, row, OutboxState.DROPPED)
    await put(work, ANNOUNCE_EDIT, lane_of(room, rank), room=room.id, ticket=ticket.id)


async def tell_operators(work: Work, text: str) -> None:
    """Tell the operators' room, if there is one."""
    room = await work.unit.rooms.of_operators()
    if room is not None:
        await say_in(work, room, Say(text))


async def _announced(work: Work, row: Outbox) -> None:
    """The newest announcement roots the thread; an older one may leave late, after the ticket was moved."""
    ticket = await work.unit.tickets.get(row.ticket_id or 0, lock=True)
    if ticket is not None and (await work.unit.outbox.announcements(ticket.id))[-1] is row:
        ticket.event_id = row.event_id


SAY = Kind("say", is_said=True)
FILE = Kind("file", is_said=True)
REACT = Kind("react")
ANNOUNCE = Kind(ANNOUNCEMENT, sent=_announced, wakes="journal")
"""What agents say below it may wait for its id."""
ANNOUNCE_EDIT = Kind("announce.edit")


def ago(then: dt.datetime, now: dt.datetime) -> str:
    """Return an age in words short enough for a list: "5 min", "3 h", "2 d"."""
    age = max(dt.timedelta(), now - then)
    if age < dt.timedelta(hours=1):
        return f"{age // dt.timedelta(minutes=1)} min"
    if age < dt.timedelta(days=2):
        return f"{age // dt.timedelta(hours=1)} h"
    return f"{age // dt.timedelta(days=1)} d"
