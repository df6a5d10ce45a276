# SPDX-License-Identifier: AGPL-3.0-or-later
"""From an opened letter to a ticket, a follow-up, quarantine or a counted drop, in small steps."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from desk.house import House, Queue
from desk.keys import offer
from desk.opened import Automatic, EncryptionState, Opened, SignatureState
from desk.posting import Say, announce, ping_duty, say_in, say_in_thread, show_state
from desk.reports import tell_same
from desk.verdicts import details_of, encryption_words
from desk.world import World
from storage.models import Letter, Message, Ticket
from storage.sealing import address_tag
from storage.states import LetterState, MessageKind, Side
from storage.tickets import NewTicket
from storage.unit import Unit

SURE_ENOUGH = 0.6
"""From this confidence on, a detected language chooses the room."""

_PROGRAM = re.compile(r"[a-z0-9-]{1,30}")
_WRITTEN_BY_NOBODY = frozenset({Automatic.BOUNCE, Automatic.AUTO_REPLY})


@dataclass(frozen=True)
class Desk:
    """What every step works with."""

    unit: Unit
    world: World
    house: House


@dataclass(frozen=True)
class Arrival:
    """One letter, opened, at one queue."""

    letter: Letter
    opened: Opened
    queue: Queue
    same_id: Sequence[Message]
    """What is known under this letter's own Message-ID, newest first: copies of it, or mail of ours."""


Verdict = tuple[LetterState, str]
Step = Callable[[Desk, Arrival], Awaitable[Verdict | None]]


async def take_in(desk: Desk, letter: Letter, opened: Opened) -> None:
    """Decide what a letter is; the first step that knows has the last word."""
    message_id = opened.headers.message_id
    same_id = await desk.unit.messages.by_message_id([message_id]) if message_id else []
    arrival = Arrival(letter, opened, desk.house.queue(letter.queue), same_id)
    for step in STEPS:
        verdict = await step(desk, arrival)
        if verdict is not None:
            letter.state, letter.reason = verdict
            return
    raise AssertionError("the last step always knows")


async def quarantine(desk: Desk, letter: Letter, reason: str) -> None:
    """Keep a letter aside for a person to look at, and say so where operators read."""
    letter.state, letter.reason = LetterState.QUARANTINED, reason
    await _tell_quarantine(desk, letter, reason)


async def _tell_quarantine(desk: Desk, letter: Letter, reason: str) -> None:
    room = await desk.unit.rooms.of_operators() or await desk.unit.rooms.of_queue(letter.queue)
    if room is not None:
        await say_in(desk.unit, desk.world, room, Say(f"Letter {letter.id} is in quarantine: {reason}"))


async def _drop_loop(desk: Desk, arrival: Arrival) -> Verdict | None:
    """Our own mail come back is dropped and counted."""
    looped = arrival.opened.automatic is Automatic.LOOP or _is_from_us(desk.house, arrival.opened)
    if looped or _first(arrival.same_id, MessageKind.OUT) is not None:
        return LetterState.DROPPED, "our own mail came back"
    return None


def _is_from_us(house: House, opened: Opened) -> bool:
    # WhisperBack may put the desk's own address into From.
    by_whisperback = opened.whisperback is not None and opened.whisperback.whisperback_id is not None
    return not by_whisperback and opened.headers.sender in {each.address.lower() for each in house.queues}


def _first(messages: Sequence[Message], kind: MessageKind) -> Message | None:
    return next((message for message in messages if message.kind is kind), None)


async def _drop_copy(desk: Desk, arrival: Arrival) -> Verdict | None:
    """The same bytes with the same Message-ID are the same mail, delivered twice: to whichever address."""
    known = _first(arrival.same_id, MessageKind.IN)
    if known is None or known.letter_id is None:
        return None
    letters = desk.unit.letters
    first = await letters.get(known.letter_id)
    if first is None or await letters.raw(first) != await letters.raw(arrival.letter):
        return None
    arrival.letter.ticket_id = known.ticket_id
    return LetterState.DROPPED, "the same mail was delivered before"


async def _follow_up(desk: Desk, arrival: Arrival) -> Verdict | None:
    """An answer to our mail, from a party of the ticket or with the ticket's token, goes to the ticket."""
    by_token = await _ticket_by_token(desk, arrival.letter)
    ticket = by_token or await _ticket_by_reference(desk, arrival.opened)
    if ticket is None:
        return None
    automatic = arrival.opened.automatic
    if automatic is not Automatic.BOUNCE and by_token is None and not _is_party(desk, arrival, ticket):
        reason = f"claims to belong to ticket {ticket.id}, but comes from somebody else"
        await _tell_quarantine(desk, arrival.letter, reason)
        return LetterState.QUARANTINED, reason
    if automatic in _WRITTEN_BY_NOBODY:
        await _note_automatic(desk, arrival, ticket)
        return LetterState.FOLLOW_UP, automatic.value
    await _add_to(desk, arrival, ticket)
    return LetterState.FOLLOW_UP, ""


async def _ticket_by_token(desk: Desk, letter: Letter) -> Ticket | None:
    return await desk.unit.tickets.by_reply_tag(letter.reply_tag) if letter.reply_tag else None


async def _ticket_by_reference(desk: Desk, opened: Opened) -> Ticket | None:
    named = (*opened.headers.in_reply_to, *reversed(opened.headers.references))
    known = await desk.unit.messages.by_message_id(named) if named else []
    ours = _first(known, MessageKind.OUT)
    return await desk.unit.tickets.get(ours.ticket_id, lock=True) if ours is not None else None


def _is_party(desk: Desk, arrival: Arrival, ticket: Ticket) -> bool:
    sender = arrival.opened.headers.sender
    return bool(sender) and address_tag(desk.unit.vault, sender) == ticket.contact_tag


async def _note_automatic(desk: Desk, arrival: Arrival, ticket: Ticket) -> None:
    """A bounce or an auto-reply is told in the thread; it does not count as the user's word.

    Its text is not shown: anybody can send one, and what was decrypted must not stand in the thread.
    """
    arrival.letter.ticket_id = ticket.id
    ticket.confidential = ticket.confidential or is_confidential(arrival.opened)
    bounced = arrival.opened.automatic is Automatic.BOUNCE
    words = "A bounce came back" if bounced else "An automatic answer came back"
    await say_in_thread(desk.unit, desk.world, ticket, f"{words} for this ticket.")


async def _add_to(desk: Desk, arrival: Arrival, ticket: Ticket) -> None:
    now = desk.world.now()
    await _keep_message(desk, arrival, ticket, by_user=_is_party(desk, arrival, ticket))
    ticket.last_public, ticket.last_public_at = Side.USER, now
    ticket.confidential = ticket.confidential or is_confidential(arrival.opened)
    reopened = ticket.closed_at is not None
    ticket.closed_at = None
    text = "The user wrote again" + (", so the ticket is open again." if reopened else ".")
    await say_in_thread(
        desk.unit, desk.world, ticket, f"{text} {encryption_words(arrival.opened)} Read it with `!show`."
    )
    await show_state(desk.unit, desk.world, ticket)


async def _quarantine_automatic(desk: Desk, arrival: Arrival) -> Verdict | None:
    """Bounces and auto-replies that answer nothing of ours make no ticket. Mail through lists does."""
    automatic = arrival.opened.automatic
    if automatic in _WRITTEN_BY_NOBODY:
        reason = f"an automatic mail ({automatic.value}) that answers none of ours"
        await _tell_quarantine(desk, arrival.letter, reason)
        return LetterState.QUARANTINED, reason
    return None


async def _open_ticket(desk: Desk, arrival: Arrival) -> Verdict | None:
    """Everything else is somebody's new matter."""
    ticket = await desk.unit.tickets.add(_new_ticket(desk, arrival))
    # First, as whatever is said of it hangs on the announcement, also that its letter brings another key.
    await announce(desk.unit, desk.world, ticket)
    await _keep_message(desk, arrival, ticket, by_user=True)
    await tell_same(desk.unit, desk.world, ticket)
    await ping_duty(desk.unit, desk.world, desk.house, ticket)
    return LetterState.TICKET, ""


STEPS: Sequence[Step] = (_drop_loop, _drop_copy, _follow_up, _quarantine_automatic, _open_ticket)


async def _keep_message(desk: Desk, arrival: Arrival, ticket: Ticket, *, by_user: bool) -> None:
    opened = arrival.opened
    message = Message(
        ref=desk.world.token(),
        ticket=ticket,
        letter_id=arrival.letter.id,
        kind=MessageKind.IN,
        at=desk.world.now(),
        message_id_tag=(
            desk.unit.messages.message_id_tag(opened.headers.message_id)
            if opened.headers.message_id
            else None
        ),
    )
    message.text = opened.text
    message.subject = subject_of(opened)
    message.message_id = opened.headers.message_id or None
    message.details = details_of(opened, from_contact=by_user)
    await desk.unit.messages.add(message)
    arrival.letter.ticket_id = ticket.id
    if ticket.contact_tag:
        for key in opened.keys:
            await offer(desk.unit, desk.world, ticket, key, by_user=by_user)


def _new_ticket(desk: Desk, arrival: Arrival) -> NewTicket:
    opened, report = arrival.opened, arrival.opened.whisperback
    language, confidence = _language(arrival)
    room_queue = desk.house.queue_for_language(language) if arrival.queue.detect else None
    return NewTicket(
        ref=desk.world.token(),
        queue=(room_queue or arrival.queue).name,
        mailbox=arrival.queue.name,
        language=language,
        language_confidence=confidence,
        opened_at=desk.world.now(),
        confidential=is_confidential(opened),
        encryption=opened.encryption.state.value,
        signature=worst_signature(opened),
        kind=kind_of(opened),
        contact=_contact(desk.house, opened),
        subject=subject_of(opened),
        tails_version=report.tails_version if report else None,
        whisperback_id=report.whisperback_id if report else None,
    )


def _language(arrival: Arrival) -> tuple[str, float | None]:
    found = arrival.opened.language
    if found is None:
        return arrival.queue.language, None
    if arrival.queue.detect and found.confidence >= SURE_ENOUGH:
        return found.code, found.confidence
    if found.code == arrival.queue.language:
        return found.code, found.confidence
    return arrival.queue.language, None


def kind_of(opened: Opened) -> str:
    """Return words of ours: what the report names is taken only where it looks like a program's name."""
    if opened.whisperback is None:
        return "e-mail"
    app = opened.whisperback.app
    return f"bug report, {app}" if app and _PROGRAM.fullmatch(app) else "bug report"


def contact_of(opened: Opened) -> str | None:
    """Return the address of the person: for a WhisperBack report the one in it, as its From leads nowhere."""
    if opened.whisperback is not None:
        return opened.whisperback.contact_email
    return opened.headers.reply_to or opened.headers.sender or None


def _contact(house: House, opened: Opened) -> str | None:
    """Return the address of the person; a report that names the desk itself as its contact names nobody."""
    contact = contact_of(opened)
    if contact is None:
        return None
    local, _, domain = contact.lower().rpartition("@")
    plain = f"{local.partition('+')[0]}@{domain}"
    return None if plain in {each.address.lower() for each in house.queues} else contact


def subject_of(opened: Opened) -> str:
    """Return the person's own subject."""
    return opened.whisperback.report_subject if opened.whisperback is not None else opened.headers.subject


def is_confidential(opened: Opened) -> bool:
    """Tell whether the letter came encrypted (whatever became of the decryption) or through WhisperBack."""
    by_whisperback = opened.whisperback is not None and opened.whisperback.whisperback_id is not None
    return by_whisperback or opened.encryption.state is not EncryptionState.NONE


def worst_signature(opened: Opened) -> str:
    """Return the state of the worst signature; "none" without any (R11: BAD wins)."""
    order = list(_WORST_FIRST)
    found = sorted((each.state for each in opened.signatures), key=order.index)
    return found[0].value if found else "none"


_WORST_FIRST = (
    SignatureState.BAD,
    SignatureState.REVOKED_KEY,
    SignatureState.EXPIRED_KEY,
    SignatureState.PARTIAL,
    SignatureState.UNKNOWN_KEY,
    SignatureState.GOOD_OTHER_SENDER,
    SignatureState.GOOD,
)
