# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reports that a mail of ours was not delivered: told in its ticket's thread, in words of ours alone."""

from collections import Counter

from desk.context import Work
from desk.duty.pings import call
from desk.intake.context import Arrival, Verdict
from desk.letters.opened import Bounce, Opened, RecipientStatus
from desk.outbox.posts import say_in_thread, show_state
from desk.quarantine.letters import hint_of
from desk.replies import previews
from desk.tickets.locks import locked
from storage.models import LetterState, Message, MessageKind, ReplyState, Side, Ticket
from storage.sealing.vault import TagKind, address_tag

_MOST_TOLD = 5
_FAILED, _DELAYED = "failed", "delayed"
_GONE_OUT = frozenset({ReplyState.SENT, ReplyState.UNCLEAR})
_ACTIONS = {
    _FAILED: "not delivered",
    _DELAYED: "delayed, and still being tried",
    "delivered": "delivered",
    "relayed": "passed on to a server that reports nothing",
    "expanded": "passed on to several addresses",
}
# RFC 3463, 3: subject and detail; the class (2, 4, 5) is told by the action.
_DETAILS = {
    "1.1": "there is no such mailbox",
    "1.2": "there is no such mail server",
    "1.3": "the address is not valid",
    "1.6": "the mailbox has moved",
    "1.10": "the domain accepts no mail",
    "2.1": "the mailbox is disabled",
    "2.2": "the mailbox is full",
    "2.3": "the mail is too large for the mailbox",
    "3.4": "the mail is too large for the server",
    "4.1": "the other server does not answer",
    "4.6": "there is a mail loop at the other server",
    "4.7": "it could not be delivered for too long",
    "7.1": "the other server does not allow it",
    "7.26": "the other server could not verify that it comes from here (SPF or DKIM)",
}
_SUBJECTS = {
    "1": "something is wrong with the address",
    "2": "something is wrong with the mailbox",
    "3": "something is wrong with the other mail system",
    "4": "there is a network problem on the way to the other server",
    "5": "the servers do not understand each other",
    "6": "the other server does not take such content",
    "7": "the other server refuses it for reasons of its own",
}


async def take_in(work: Work, arrival: Arrival) -> Verdict | None:
    """Tell a bounce in the thread of the mail it answers; None when it answers none of ours.

    Its text is shown on demand alone: anybody can write one, and it may return what must not stand there.
    A forged one changes no more than what the preview and `!left` show, and opens a closed ticket again.
    """
    found = await _answered(work, arrival)
    if found is None:
        return None
    ticket, message = found
    arrival.letter.ticket_id = ticket.id
    bounce = arrival.opened.bounce or Bounce()
    if bounce.is_complaint:
        words = f"{_which(message)} was reported as unwanted mail, as by a button in somebody's mail program."
        await say_in_thread(work, ticket, words)
        return LetterState.FOLLOW_UP, "complaint"
    fates = _for_contact(work, ticket, bounce.fates)
    told = _told(fates)
    is_reopened = False
    if message is not None and fates and all(fate.action == _FAILED for fate in fates):
        is_reopened = await _not_delivered(work, message, told)
    unread = f"A bounce came back for this ticket. {hint_of(arrival.letter)}"
    words = f"{_which(message)} was reported as {told}." if told else unread
    words += " The ticket is open again." if is_reopened else ""
    await call(work, ticket, words)
    await show_state(work, ticket)
    return LetterState.FOLLOW_UP, "bounce"


def _which(message: Message | None) -> str:
    if message is None:
        return "A mail of this ticket"
    return "The answer" if message.author is not None else "The automatic first answer"


async def _answered(work: Work, arrival: Arrival) -> tuple[Ticket, Message | None] | None:
    """Return the ticket and the mail: by the Message-ID of what is returned, else by a reply token.

    The token names no mail: it is the one, if only one has gone out.
    """
    messages = work.unit.messages
    named = _ids(arrival.opened)
    known = await messages.by_message_id(named) if named else []
    ours = next((each.id for each in known if each.kind is MessageKind.OUT), None)
    message = await locked(work.unit, ours) if ours is not None else None
    if message is not None:
        return message.ticket, message
    ticket = await _by_token(work, arrival)
    if ticket is None:
        return None
    gone = [each.id for each in await messages.of(ticket) if each.state in _GONE_OUT]
    return ticket, await locked(work.unit, gone[0]) if len(gone) == 1 else None


def _ids(opened: Opened) -> list[str]:
    returned = opened.bounce.message_ids if opened.bounce is not None else ()
    return [*returned, *opened.headers.in_reply_to, *reversed(opened.headers.references)]


async def _by_token(work: Work, arrival: Arrival) -> Ticket | None:
    returned = arrival.opened.bounce.tokens if arrival.opened.bounce is not None else ()
    tags = [arrival.letter.reply_tag, *(work.unit.vault.tag(TagKind.REPLY_TOKEN, each) for each in returned)]
    for tag in tags:
        ticket = await work.unit.tickets.by_reply_tag(tag) if tag else None
        if ticket is not None:
            return ticket
    return None


def _for_contact(work: Work, ticket: Ticket, fates: tuple[RecipientStatus, ...]) -> list[RecipientStatus]:
    """Of several recipients, the user's own address counts; else all, as it may be one that leads to them."""
    own = [
        fate
        for fate in fates
        if ticket.contact_tag in {address_tag(work.unit.vault, each) for each in fate.recipients}
    ]
    return own or list(fates)


def _told(fates: list[RecipientStatus]) -> str:
    counts = Counter((fate.action, fate.code) for fate in fates)
    lines = [
        f"{words_of(action, code)}{f' ({count} addresses)' if count > 1 else ''}"
        for (action, code), count in counts.most_common(_MOST_TOLD)
    ]
    return "; ".join(lines)


def words_of(action: str, code: str) -> str:
    """Return what became of a mail, in words, with the enhanced status code (RFC 3463) if there is one."""
    said = _ACTIONS[action]
    if not code:
        return said
    _, subject, detail = code.split(".")
    why = _DETAILS.get(f"{subject}.{detail}") or _SUBJECTS.get(subject)
    is_bad = action in {_FAILED, _DELAYED} and why is not None
    return f"{said}: {why} ({code})" if is_bad else f"{said} ({code})"


async def _not_delivered(work: Work, message: Message, told: str) -> bool:
    """The user has not read it, so that the ticket is left to answer again; tell whether it was closed."""
    if message.state not in _GONE_OUT:
        return False
    message.state = ReplyState.BOUNCED
    await previews.show_state(work, message, why=told)
    ticket = message.ticket
    said = await work.unit.messages.of(ticket)
    is_newer = any(each.id > message.id and each.state is ReplyState.SENT for each in said)
    if ticket.last_public is not Side.DESK or is_newer:
        return False
    ticket.last_public, ticket.last_public_at = Side.USER, work.world.now()
    was_closed = ticket.closed_at is not None
    ticket.closed_at = None
    return was_closed
