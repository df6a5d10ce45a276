# SPDX-License-Identifier: AGPL-3.0-or-later
"""`!recheck`: a user's letters are opened once more, after a key has come."""

from collections.abc import Sequence
from dataclasses import replace

from desk.context import Work
from desk.intake.matching import is_contact
from desk.intake.replays import with_warning
from desk.keys.offers import offer
from desk.letters.facts import contact_of, is_confidential, kind_of, subject_of, worst_signature
from desk.letters.opened import EncryptionState, Opened
from desk.letters.verdicts import encryption_words
from desk.outbox.kinds import Kind
from desk.outbox.posts import finish, put, say_in_thread, show_state, tell_operators
from desk.tickets.details import LetterDetails, details_of
from desk.tickets.locks import locked
from desk.world import Refusal
from storage.models import Message, MessageKind, OutboxState, Ticket
from storage.sealing.vault import address_tag

RECHECK = Kind("recheck")
"""The kind of outbox row that has one letter opened again."""
MOST_LETTERS = 20
"""Letters of one ticket that are opened again at once, the newest."""
_MOST_NAMED = 50
_SHUT = frozenset({EncryptionState.UNDECRYPTABLE, EncryptionState.BROKEN})


async def ask(work: Work, ticket: Ticket) -> int:
    """Have the ticket's letters opened again, as far as they are kept; return how many.

    Raises Refusal when none is kept.
    """
    said = await work.unit.messages.of(ticket)
    kept = [each for each in said if each.kind is MessageKind.IN and each.letter_id is not None]
    if not kept:
        raise Refusal(
            f"No letter of ticket {ticket.id} is kept (any more), so there is nothing to open again."
        )
    for message in kept[-MOST_LETTERS:]:
        lane = f"{RECHECK.name}:{ticket.id}"
        await put(work, RECHECK, lane, ticket=ticket.id, message=message.id)
    return len(kept[-MOST_LETTERS:])


async def ask_for_all(work: Work) -> Sequence[int]:
    """Have all kept letters opened again that could not be; return their tickets' numbers, oldest first."""
    shut = await work.unit.messages.shut(EncryptionState.UNDECRYPTABLE.value)
    for ticket, message in shut:
        await put(work, RECHECK, f"{RECHECK.name}:{ticket}", ticket=ticket, message=message)
    return _tickets_of(shut)


async def tell_of_new_key(work: Work) -> Sequence[int]:
    """Tell the operators which letters a key that was imported may open; return their tickets' numbers."""
    numbers = _tickets_of(await work.unit.messages.shut(EncryptionState.UNDECRYPTABLE.value))
    if numbers:
        text = (
            "A secret key was imported. Letters of these tickets could not be opened before: "
            f"{named(numbers)}. `!key recheck` opens them again, `!recheck` in a ticket's thread its own."
        )
        await tell_operators(work, text)
    return numbers


def named(numbers: Sequence[int]) -> str:
    """Return tickets' numbers as a list, cut short where it is long."""
    shown = ", ".join(f"#{number}" for number in numbers[:_MOST_NAMED])
    return f"{shown} and {len(numbers) - _MOST_NAMED} more" if len(numbers) > _MOST_NAMED else shown


def _tickets_of(shut: Sequence[tuple[int, int]]) -> Sequence[int]:
    return list(dict.fromkeys(ticket for ticket, _ in shut))


async def conclude(work: Work, row_id: int, message_id: int, opened: Opened | str) -> None:
    """Note what a letter turned out to hold this time, or the sentence why it still cannot be opened.

    The row is done in the same unit, so that nothing is said twice. What was readable before stays as it was
    when it is not readable any more. Raises KeyGrown as `offer`.
    """
    message = await locked(work.unit, message_id)
    row = await work.unit.outbox.get(row_id)  # read under the lock: somebody else may just have ended it
    if row is None or row.state is not OutboxState.PENDING or message is None:
        return
    words = opened if isinstance(opened, str) else await _taken_over(work, message, opened)
    finish(work.world, row, OutboxState.SENT)
    which = f"The letter of {message.at:%Y-%m-%d %H:%M} UTC was opened again"
    await say_in_thread(work, message.ticket, f"{which}: {words}")


async def _taken_over(work: Work, message: Message, opened: Opened) -> str:
    words = encryption_words(opened)
    if opened.encryption.state in _SHUT:
        return f"nothing new. {words}"
    ticket = message.ticket
    is_first = message.id == _first(await work.unit.messages.of(ticket))
    by_user = is_first or is_contact(work.unit, ticket, opened.headers.sender)
    opened = await _with_warning(work, message, opened)
    known = LetterDetails.load(message)
    opened = replace(opened, is_replayed=opened.is_replayed or known.replayed)
    details = details_of(opened, from_contact=by_user)
    is_news = (message.text, known) != (opened.text, details)
    if is_news:
        message.text, message.subject = opened.text, subject_of(opened)
        details.store(message)
        message.encryption = opened.encryption.state.value
        ticket.read_up_to = min(ticket.read_up_to, message.id - 1)
        await _tell_ticket(work, ticket, opened, is_first=is_first)
    for key in opened.keys:
        await offer(work, ticket, key, by_user=by_user, is_again=True)
    return f"{words} Read it with `!show`." if is_news else f"nothing new. {words}"


async def _with_warning(work: Work, message: Message, opened: Opened) -> Opened:
    """Ask only now whether the ciphertext came before, where it could not be opened on its arrival."""
    letter = await work.unit.letters.get(message.letter_id) if message.letter_id is not None else None
    if letter is None:
        return opened
    return await with_warning(work, letter, opened, contact_of(work.config, opened))


async def _tell_ticket(work: Work, ticket: Ticket, opened: Opened, *, is_first: bool) -> None:
    """Of the first letter the ticket carries the facts; a ticket once confidential stays so."""
    ticket.confidential = ticket.confidential or is_confidential(opened)
    if is_first:
        ticket.encryption, ticket.signature = opened.encryption.state.value, worst_signature(opened)
        ticket.subject, ticket.kind = subject_of(opened), kind_of(opened)
        _take_report(ticket, opened)
        _take_contact(work, ticket, opened)
        await work.unit.problems.update_sightings(ticket)
    await show_state(work, ticket)


def _first(said: Sequence[Message]) -> int | None:
    return next((each.id for each in said if each.kind is MessageKind.IN), None)


def _take_report(ticket: Ticket, opened: Opened) -> None:
    report = opened.whisperback
    if report is not None and report.whisperback_id is not None:
        ticket.tails_version, ticket.whisperback_id = report.tails_version, report.whisperback_id


def _take_contact(work: Work, ticket: Ticket, opened: Opened) -> None:
    """A report's address is the user's, and so is the one that a list has signed: outside stood the list.

    Any other protected From proves nothing: answers go on to where they went.
    """
    if opened.by_whisperback or opened.relayed:
        contact = contact_of(work.config, opened)
        ticket.contact = contact
        ticket.contact_tag = address_tag(work.unit.vault, contact) if contact else None
