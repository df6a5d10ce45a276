# SPDX-License-Identifier: AGPL-3.0-or-later
"""From an opened letter to a ticket, a follow-up, quarantine or a counted drop, in small steps."""

from collections.abc import Sequence

from desk.context import Work
from desk.duty.pings import call, tell_new
from desk.intake import auto_reply, bounces, loops, matching
from desk.intake.context import Arrival, Step, Verdict
from desk.intake.replays import with_warning
from desk.intake.same_report import tell_same
from desk.keys.offers import offer
from desk.letters.facts import contact_of, is_confidential, kind_of, subject_of, worst_signature
from desk.letters.opened import Automatic, Bounce, Opened
from desk.letters.verdicts import encryption_words
from desk.outbox.posts import announce, say_in_thread, show_state
from desk.quarantine import askers, letters
from desk.tickets.details import details_of
from storage.models import Letter, LetterState, Message, MessageKind, Side, Ticket
from storage.queries.tickets import NewTicket
from storage.sealing.vault import TagKind, address_tag

SURE_ENOUGH = 0.6
"""From this confidence on, a detected language chooses the room."""


async def take_in(work: Work, letter: Letter, opened: Opened) -> None:
    """Decide what a letter is; the first step that knows has the last word."""
    same_tag = work.unit.vault.tag(TagKind.LETTER, opened.identity) if opened.identity else None
    if same_tag is not None:
        await work.unit.letters.hold_same(same_tag)
    opened = await with_warning(work, letter, opened, contact_of(work.config, opened))
    message_id = opened.headers.message_id
    same_id = await work.unit.messages.by_message_id([message_id]) if message_id else []
    arrival = Arrival(letter, opened, work.config.queue(letter.queue), same_id, same_tag)
    for step in STEPS:
        verdict = await step(work, arrival)
        if verdict is not None:
            letter.state, letter.reason = verdict
            letter.same_tag = same_tag
            if letter.state is not LetterState.QUARANTINED:
                await askers.answer(work, letter)
            return
    raise AssertionError("the last step always knows")


async def _take_in_released(work: Work, arrival: Arrival) -> Verdict | None:
    """What somebody took out of quarantine goes where they said, whatever it is."""
    letter = arrival.letter
    if letter.released_by is None:
        return None
    reason = f"released from quarantine by {letter.released_by}"
    ticket = await letters.claimed(work.unit, letter)
    if ticket is None:
        await _open_ticket(work, arrival)
        return LetterState.TICKET, reason
    await _add_to(work, arrival, ticket)
    return LetterState.FOLLOW_UP, reason


async def _drop_copy(work: Work, arrival: Arrival) -> Verdict | None:
    """What differs by its way here only is the same mail, delivered twice: to whichever address.

    One that was put aside counts for nothing: the other may bring what it lacked, as a token or a sender.
    """
    letter = arrival.letter
    alike = await work.unit.letters.like(arrival.same_tag, besides=letter.id) if arrival.same_tag else ()
    for known in alike:
        if not await _is_withheld(work, arrival, known.letter_id):
            letter.ticket_id = known.ticket_id
            return LetterState.DROPPED, f"the same mail was delivered before, as letter {known.letter_id}"
    return None


async def _is_withheld(work: Work, arrival: Arrival, letter_id: int) -> bool:
    """Tell whether somebody who got the same mail may have sent it on first, to keep it from being answered.

    They can do so as a program would, or with the token of a ticket that is not its writer's.
    """
    before = await work.unit.letters.get(letter_id)
    if before is None or before.released_by is not None:
        return False
    if before.reason in letters.TOLD:
        return arrival.opened.automatic is None
    ticket = await work.unit.tickets.get(before.ticket_id or 0)
    if ticket is None or arrival.letter.reply_tag == ticket.reply_tag:
        return False
    contact = contact_of(work.config, arrival.opened)
    if ticket.contact_tag == (address_tag(work.unit.vault, contact) if contact else None):
        return False
    found = await matching.find(work, arrival)
    return found is None or not found.is_sure or found.numbers != (ticket.id,)


async def _tell_bounce(work: Work, arrival: Arrival) -> Verdict | None:
    """A bounce belongs to the mail it answers, whoever it comes from; one that answers none is put aside.

    A ticket's party, or who has its token, may write of bounces: theirs needs more than words to be one.
    """
    opened = arrival.opened
    bounce = opened.bounce or Bounce()
    if opened.automatic is not Automatic.BOUNCE and not bounce.is_complaint:
        return None
    found = await matching.find(work, arrival) if bounce.may_be_persons else None
    if found is not None and found.is_sure:
        return None
    return await bounces.take_in(work, arrival) or await _put_aside(work, arrival, _answers_nothing(arrival))


def _answers_nothing(arrival: Arrival) -> str:
    if arrival.opened.bounce is not None and arrival.opened.bounce.is_complaint:
        return "a complaint about unwanted mail that names none of ours"
    kind = arrival.opened.automatic
    return f"an automatic mail ({kind.value if kind else ''}) that answers none of ours"


async def _follow_up(work: Work, arrival: Arrival) -> Verdict | None:
    """A letter of a ticket's party, or with the ticket's token, goes to the ticket it names."""
    found = await matching.find(work, arrival)
    if found is None:
        return None
    ticket, automatic = found.ticket, arrival.opened.automatic
    if ticket is None:
        named = ", ".join(map(str, found.numbers))
        return await _put_aside(work, arrival, f"claims to belong to several tickets: {named}")
    if not found.is_sure:
        reason = f"claims to belong to ticket {ticket.id}, but comes from somebody else"
        return await _put_aside(work, arrival, reason, claims=ticket)
    if automatic is Automatic.AUTO_REPLY:
        await _note_automatic(work, arrival, ticket)
        return LetterState.FOLLOW_UP, automatic.value
    await _add_to(work, arrival, ticket)
    await matching.remember(work, arrival, ticket, has_token=found.by_token)
    return LetterState.FOLLOW_UP, ""


async def _put_aside(work: Work, arrival: Arrival, reason: str, *, claims: Ticket | None = None) -> Verdict:
    await letters.put_aside(work, arrival.letter, reason, claims=claims)
    return LetterState.QUARANTINED, reason


async def _note_automatic(work: Work, arrival: Arrival, ticket: Ticket) -> None:
    """An auto-reply is told in the thread; it does not count as the user's word.

    Its text is shown on demand alone: anybody can send one, and what was decrypted stays out of the thread.
    """
    arrival.letter.ticket_id = ticket.id
    ticket.confidential = ticket.confidential or is_confidential(arrival.opened)
    words = f"An automatic answer came back for this ticket. {letters.hint_of(arrival.letter)}"
    await say_in_thread(work, ticket, words)


async def _add_to(work: Work, arrival: Arrival, ticket: Ticket) -> None:
    now = work.world.now()
    by_user = matching.is_contact(work.unit, ticket, arrival.opened.headers.sender)
    await _keep_message(work, arrival, ticket, by_user=by_user)
    ticket.last_public, ticket.last_public_at = Side.USER, now
    ticket.confidential = ticket.confidential or is_confidential(arrival.opened)
    reopened = ticket.closed_at is not None
    ticket.closed_at = None
    who = "The user wrote again" if by_user else "A letter came from another address than the user's"
    text = who + (", so the ticket is open again." if reopened else ".")
    words = f"{text} {encryption_words(arrival.opened)} Read it with `!show`."
    await call(work, ticket, words)
    await show_state(work, ticket)


async def _quarantine_automatic(work: Work, arrival: Arrival) -> Verdict | None:
    """Auto-replies that answer nothing of ours make no ticket. Mail through lists does."""
    if arrival.opened.automatic is not Automatic.AUTO_REPLY:
        return None
    return await _put_aside(work, arrival, _answers_nothing(arrival))


async def _open_ticket(work: Work, arrival: Arrival) -> Verdict | None:
    """Everything else is somebody's new matter."""
    ticket = await work.unit.tickets.add(_new_ticket(work, arrival))
    # First, as whatever is said of it hangs on the announcement, also that its letter brings another key.
    await announce(work, ticket)
    await _keep_message(work, arrival, ticket, by_user=True)
    await matching.remember(work, arrival, ticket, has_token=False)
    await tell_same(work, ticket)
    await tell_new(work, ticket)
    if arrival.letter.released_by is None:
        await auto_reply.give(work, arrival, ticket)
    return LetterState.TICKET, ""


STEPS: Sequence[Step] = (
    _take_in_released,
    loops.take_out,
    _drop_copy,
    _tell_bounce,
    _follow_up,
    _quarantine_automatic,
    _open_ticket,
)


async def _keep_message(work: Work, arrival: Arrival, ticket: Ticket, *, by_user: bool) -> None:
    opened = arrival.opened
    message = Message(
        ref=work.world.token(),
        ticket=ticket,
        letter_id=arrival.letter.id,
        kind=MessageKind.IN,
        at=work.world.now(),
        encryption=opened.encryption.state.value,
        message_id_tag=(
            work.unit.messages.message_id_tag(opened.headers.message_id)
            if opened.headers.message_id
            else None
        ),
    )
    message.text = opened.text
    message.subject = subject_of(opened)
    message.message_id = opened.headers.message_id or None
    details_of(opened, from_contact=by_user).store(message)
    work.unit.messages.keep(message)
    arrival.letter.ticket_id = ticket.id
    if ticket.contact_tag:
        for key in opened.keys:
            await offer(work, ticket, key, by_user=by_user)


def _new_ticket(work: Work, arrival: Arrival) -> NewTicket:
    opened, report = arrival.opened, arrival.opened.whisperback
    language, confidence = _language(arrival)
    room_queue = work.config.queue_for_language(language) if arrival.queue.detect else None
    return NewTicket(
        ref=work.world.token(),
        queue=(room_queue or arrival.queue).name,
        mailbox=arrival.queue.name,
        language=language,
        language_confidence=confidence,
        opened_at=work.world.now(),
        confidential=is_confidential(opened),
        encryption=opened.encryption.state.value,
        signature=worst_signature(opened),
        kind=kind_of(opened),
        contact=contact_of(work.config, opened),
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
