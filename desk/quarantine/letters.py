# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters that a person must look at: put aside with a reason, listed, shown, taken in or dropped."""

import base64
import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from desk.context import Work
from desk.letters.opened import Opened
from desk.outbox.kinds import Kind
from desk.outbox.posts import File, Say, ago, finish, put, say_in
from desk.outbox.ranks import Rank
from desk.quarantine import askers, left_in_mailbox
from desk.tickets.reading import show_letter
from desk.world import Refusal
from storage.models import Letter, LetterState, MailboxAction, OutboxState, Room, RoomPurpose, Ticket
from storage.queries.letters import QuarantineEntry
from storage.sealing.columns import to_json
from storage.unit import Unit

SHOW = Kind("quarantine.show")
"""The kind of outbox row that has a letter opened and shown, without taking it in."""
LARGEST_FILE = 500_000
"""Bytes of a letter that cannot be opened and still goes into the room as a file."""
CAME_BACK = "our own mail came back"
"""The reason of letters that nobody dropped, so that they can be shown and taken in."""
TOLD = frozenset({"auto-reply", "bounce", "complaint"})
"""Reasons of letters of which a ticket's thread hears, and that are shown and taken in only on demand."""


async def put_aside(work: Work, letter: Letter, reason: str, *, claims: Ticket | None = None) -> None:
    """Keep a letter aside, and say so where operators read; `claims` is the ticket it wants to belong to."""
    letter.state, letter.reason, letter.released_by = LetterState.QUARANTINED, reason, None
    if claims is not None:
        letter.ticket_id = claims.id
    if await askers.answer(work, letter):
        return
    room = await work.unit.rooms.of_operators() or await work.unit.rooms.of_queue(letter.queue)
    if room is not None:
        words = f"Letter {letter.id} is in quarantine: {reason}".rstrip(".")
        await say_in(work, room, Say(f"{words}. `!quarantine show {letter.id}` shows it."))


async def in_sight(unit: Unit, room: Room) -> Sequence[QuarantineEntry]:
    """Return the letters that a room may see, oldest first: its queue's, or all in the operators' room."""
    return await unit.letters.aside(None if room.purpose is RoomPurpose.OPERATORS else room.queue or "")


async def seen_from(unit: Unit, room: Room, number: int) -> Letter:
    """Return a letter in quarantine that no other unit can change meanwhile.

    Or one of which its ticket's thread was told, or that was taken for our own.
    Raises Refusal when there is none of this number, or none that this room may see.
    """
    letter = await unit.letters.get(number, lock=True)
    if letter is None or not await _is_seen_from(unit, room, letter):
        raise Refusal(f"No letter {number} is in quarantine here. `!quarantine list` names those that are.")
    return letter


async def _is_seen_from(unit: Unit, room: Room, letter: Letter) -> bool:
    """What is told in a ticket is seen where that ticket is worked on."""
    if room.purpose is RoomPurpose.DISPOSABLE:
        return False
    is_taken_out = letter.state is LetterState.DROPPED and letter.reason == CAME_BACK
    if letter.state is LetterState.QUARANTINED or is_taken_out:
        queue = letter.queue
    elif letter.state is LetterState.FOLLOW_UP and letter.reason in TOLD:
        ticket = await unit.tickets.get(letter.ticket_id or 0)
        queue = ticket.queue if ticket is not None else letter.queue
    else:
        return False
    return room.purpose is RoomPurpose.OPERATORS or room.queue == queue


def hint_of(letter: Letter) -> str:
    """Return how to look at a letter of which its ticket was told: a program may be a person after all."""
    number = letter.id
    return (
        f"`!quarantine show {number}` shows it; `!quarantine release {number}` takes it in, where a person "
        "wrote it."
    )


def _place_of(letter: Letter) -> str:
    if letter.state is LetterState.FOLLOW_UP:
        return f"told in ticket {letter.ticket_id}"
    return "dropped" if letter.state is LetterState.DROPPED else "in quarantine"


def line_of(letter: QuarantineEntry, now: dt.datetime) -> str:
    """Return what a list says of a letter."""
    size = f"{max(1, letter.size // 1000)} KB"
    where = f" · in mailbox {letter.mailbox}" if letter.mailbox is not None else ""
    queue = letter.queue or "-"
    return f"{letter.id} {queue} · {ago(letter.received_at, now)} · {size}{where} · {letter.reason}"


async def ask_to_show(work: Work, letter: Letter, room: Room, thread: str | None) -> str:
    """Have a letter opened and shown in a room, in this thread; return what to say meanwhile.

    Of one that lies outside, that is all there is to say.
    """
    lies = await work.unit.outside.of(letter.id)
    if lies is not None:
        return left_in_mailbox.words_of(letter, lies, work.world.now())
    payload = to_json({"letter": letter.id, "thread": thread})
    await put(work, SHOW, f"{SHOW.name}:{room.id}", payload, room=room.id)
    return f"Letter {letter.id} is being opened."


async def show(work: Work, row_id: int, found: Opened | str) -> None:
    """Say in the room what a letter holds, or why it cannot be opened.

    The row ends in the same unit, so that nothing is shown twice.
    """
    row = await work.unit.outbox.get(row_id)
    room = await work.unit.rooms.get(row.room or 0) if row is not None else None
    if row is None or room is None or row.state is not OutboxState.PENDING:
        return
    wanted = json.loads(row.payload or "{}")
    finish(work.world, row, OutboxState.SENT)
    try:
        letter = await seen_from(work.unit, room, wanted["letter"])
    except Refusal as why:
        await say_in(work, room, Say(str(why), thread=wanted["thread"]), rank=Rank.ANSWER)
        return
    say = _shown(letter, found, await work.unit.letters.raw(letter) or b"", work.world.now())
    await say_in(work, room, replace(say, thread=wanted["thread"]), rank=Rank.ANSWER)


def _shown(letter: Letter, found: Opened | str, raw: bytes, now: dt.datetime) -> Say:
    heading = f"Letter {letter.id}, {_place_of(letter)}, {ago(letter.received_at, now)} old: {letter.reason}"
    name = f"letter-{letter.id}"
    if isinstance(found, Opened):
        shown = show_letter(found, f"{name}.txt", heading)
        return Say(shown.text, quote=shown.quote, file=shown.file)
    if len(raw) > LARGEST_FILE:
        return Say(
            f"{heading}\nIt cannot be opened: {found}\nAt {len(raw)} bytes it is too large to show raw."
        )
    return Say(f"{heading}\nIt cannot be opened: {found}\nThe file is the raw letter.", file=_raw(raw, name))


def _raw(raw: bytes, name: str) -> File:
    """A room's files are text: what is none goes in base64."""
    try:
        return File(f"{name}.eml.txt", raw.decode())
    except UnicodeDecodeError:
        return File(f"{name}.eml.base64.txt", base64.encodebytes(raw).decode())


@dataclass(frozen=True)
class TakeInRequest:
    """Who takes a letter in, where they wait to hear of it, and where it is to go.

    `ticket` None: it becomes a new ticket. `queue`: as one that had come to this queue's address.
    """

    agent: str
    room: Room
    thread: str | None
    ticket: Ticket | None = None
    queue: str = ""


async def release(work: Work, letter: Letter, wanted: TakeInRequest) -> str:
    """Have a letter taken in, whatever kept it aside: into a ticket, or as a new one; return what happens.

    Raises Refusal when it lies outside and nobody can tell for which queue it is.
    """
    ticket = wanted.ticket
    goes = f"goes to ticket {ticket.id}" if ticket is not None else "becomes a new ticket"
    lies = await work.unit.outside.of(letter.id)
    letter.queue = wanted.queue or letter.queue or (ticket.mailbox if ticket is not None else "")
    if not letter.queue:
        raise Refusal(
            f"Letter {letter.id} is for none of the queues' addresses, so say for which queue it is: "
            f"`!quarantine release {letter.id} en`, or the ticket: `!quarantine release {letter.id} #12`."
        )
    letter.released_by = wanted.agent
    letter.ticket_id = ticket.id if ticket is not None else None
    if lies is not None:
        await askers.note(work.unit, letter, wanted.room, wanted.thread)
        return f"{left_in_mailbox.fetch(letter, lies)} Then it {goes}."
    _begin_anew(work, letter)
    return f"Letter {letter.id} is opened again and {goes}."


async def recheck(work: Work, letter: Letter, room: Room, thread: str | None) -> str:
    """Have a letter opened again and judged as if it came now, as after a fault was mended or a key has come.

    What comes of it is said in this room and thread. Returns what to say meanwhile.
    """
    await askers.note(work.unit, letter, room, thread)
    lies = await work.unit.outside.of(letter.id)
    letter.released_by = letter.ticket_id = None
    if lies is not None:
        return f"{left_in_mailbox.fetch(letter, lies)} Then it is opened; what comes of it is said here."
    _begin_anew(work, letter)
    return f"Letter {letter.id} is opened again; what comes of it is said here."


def _begin_anew(work: Work, letter: Letter) -> None:
    letter.state, letter.tries, letter.due_at = LetterState.NEW, 0, work.world.now()
    work.unit.wake("letters")


async def claimed(unit: Unit, letter: Letter) -> Ticket | None:
    """Return the ticket that a letter claims to belong to."""
    return await unit.tickets.get(letter.ticket_id, lock=True) if letter.ticket_id is not None else None


async def drop(work: Work, letter: Letter, agent: str) -> str:
    """Forget a letter's bytes and their key; it stays counted, with who dropped it. Returns what happens.

    One that lies outside is deleted in its mailbox, at the next look into it.
    """
    letter.state, letter.reason = (
        LetterState.DROPPED,
        f"dropped by {agent}; was {_place_of(letter)}: {letter.reason}",
    )
    letter.raw_sealed = letter.mail_from_sealed = letter.wrapped_key = None
    await askers.answer(work, letter)
    lies = await work.unit.outside.of(letter.id)
    counted = "it is counted as dropped by you"
    if lies is None:
        return f"Letter {letter.id} is dropped: its words are gone, and {counted}."
    lies.wish = MailboxAction.DROP
    return (
        f"Letter {letter.id} is dropped, and {counted}. It is deleted in mailbox {lies.mailbox} at the next "
        "look into it."
    )
