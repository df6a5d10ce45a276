# SPDX-License-Identifier: AGPL-3.0-or-later
"""Answers to users: shown first, held for a while, and only then on their way."""

import datetime as dt
from dataclasses import dataclass

import structlog

from desk.config import DeskConfig
from desk.context import Work
from desk.duty.pings import call, mention
from desk.keys.expiry import words_if_over
from desk.outbox.posts import answer_in_thread, put, show_file, tell_operators
from desk.outbox.ranks import Rank
from desk.replies import files as enclosures
from desk.replies import previews, quotes
from desk.replies.disclosure import hides_subject, refuse_repeating, refuse_what_became_bait
from desk.replies.holds import begin_hold, hold_of
from desk.replies.mail import MAIL, READ_FIRST
from desk.replies.protection import IN_CLEAR, MailContent, Path, Protection, path_of, protection_of
from desk.replies.recipients import recipient_of
from desk.replies.subjects import answer_subject, tagged
from desk.replies.templates import with_signature
from desk.tickets.details import DraftDetails
from desk.tickets.excerpts import head_of
from desk.tickets.locks import locked
from desk.world import Refusal
from storage.models import OPEN_REPLY, Message, MessageKind, ReplyState, Ticket
from storage.unit import Unit

log = structlog.get_logger()


@dataclass(frozen=True)
class Answer:
    """What an agent wants to answer, and when that was said."""

    agent: str
    text: str
    said_at: dt.datetime
    path: Path = Path.ANSWER
    quotes: bool = False
    """The user's last message stands above, quoted."""
    takes_files: bool = False
    """The files that wait in the ticket leave with it."""
    asked_by: str = ""
    """The Matrix event that asks for it."""


async def begin(work: Work, ticket: Ticket, answer: Answer) -> Message:
    """Hold an answer and show its preview; the hold begins when that has arrived (`begin_hold`).

    Raises Refusal when it could not leave as things stand: no address, closed, another answer held, no usable
    key, or the user wrote after the agent began.
    """
    await _check(work.unit, ticket)
    known = await work.unit.messages.newest_in(ticket, until=answer.said_at)
    newest = await work.unit.messages.newest_in(ticket)
    if newest > max(known, ticket.read_up_to):
        raise Refusal(READ_FIRST)
    files = await work.unit.enclosures.waiting(ticket) if answer.takes_files else ()
    load = MailContent(quote=answer.quotes, files=bool(files))
    protection = await protection_of(work.unit, ticket, work.world.now(), answer.path, load)
    if answer.path is Path.PLAIN:
        await refuse_repeating(work.unit, ticket, answer.text)
    if protection.overridden:
        await _tell_override(work, ticket, answer)
    draft = await _draft(work, ticket, answer)
    draft.base_id = newest
    DraftDetails.change(
        draft,
        quote=answer.quotes,
        encrypted=protection.key is not None,
        to=ticket.contact_tag,
        waits_for_word=_is_anothers(draft),
    )
    for file in files:
        file.message_id = draft.id
    await enclosures.list_on(work.unit, draft)
    await _show(work, draft, protection)
    if previews.waits_for_word(draft):
        words = f"{answer.agent} prepares an answer in your ticket {ticket.id}; see the preview above."
        await mention(work, ticket, [ticket.owner], words)
    return draft


def _is_anothers(draft: Message) -> bool:
    """Tell whether the ticket belongs to somebody else than who answers it."""
    return path_of(draft) is not Path.AUTOMATIC and draft.ticket.owner not in {None, draft.author}


async def _draft(work: Work, ticket: Ticket, answer: Answer) -> Message:
    draft = Message(
        ref=work.world.token(),
        ticket=ticket,
        kind=MessageKind.OUT,
        at=work.world.now(),
        author=answer.agent,
        asked_by=answer.asked_by or None,
        state=ReplyState.HELD,
    )
    above = await quotes.of_newest(work, ticket) if answer.quotes else ""
    draft.text = await with_signature(work, ticket, f"{above}{answer.text}")
    tells_subject = answer.path not in IN_CLEAR and not await _hides_subject(work.unit, ticket)
    hold = work.config.replies.hold.total_seconds()
    DraftDetails(path=answer.path.value, hold_seconds=hold, tells_subject=tells_subject).store(draft)
    draft.subject = _subject(ticket, work.config, tells=tells_subject)
    return await work.unit.messages.add(draft)


async def _show(work: Work, draft: Message, protection: Protection) -> None:
    ticket = draft.ticket
    facts = _facts_of(ticket, draft, protection, work.config)
    if previews.waits_for_word(draft):
        facts += f"\nThis ticket is {ticket.owner}'s: the hold alone does not send it."
    if attention := await words_if_over(work, work.config.queue(ticket.mailbox)):
        facts += f"\n{attention}"
    whole = head_of(draft.text or "", f"answer-{ticket.id}.txt", lines=None).file
    if whole is not None:
        # It goes first: the hold begins with the preview.
        await show_file(work, ticket, whole)
        facts += "\nThe whole answer is in the file above."
    await previews.show(work, draft, facts)


async def _check(unit: Unit, ticket: Ticket) -> None:
    await recipient_of(unit, ticket)
    if ticket.closed_at is not None:
        raise Refusal(f"Ticket {ticket.id} is closed. `!reopen` it first.")
    if await unit.messages.open_reply(ticket) is not None:
        raise Refusal("An answer in this ticket is still held: `!send` or `!cancel` it first.")


async def _tell_override(work: Work, ticket: Ticket, answer: Answer) -> None:
    """Let everybody know who sends in clear what the desk would not."""
    asked_with = "!reply --plain" if answer.path is Path.PLAIN else "!key ask"
    log.warning("reply.in-clear", ticket=ticket.id, agent=answer.agent, path=answer.path.value)
    told = f"{answer.agent} asked to answer ticket {ticket.id} IN CLEAR (`{asked_with}`)"
    await answer_in_thread(work, ticket, f"{told}: only the words below, with no word of the user's.")
    await tell_operators(work, f"{told}.")


async def load_of(unit: Unit, draft: Message) -> MailContent:
    """Return what a message carries beside words, and what its preview said of it."""
    known = DraftDetails.load(draft)
    files = await unit.enclosures.of(draft)
    return MailContent(known.quote, bool(files), known.encrypted)


async def protection_now(unit: Unit, draft: Message, now: dt.datetime) -> Protection:
    """Return how a message is to be protected as things stand.

    Raises Refusal as `protection_of`, and when it tells of a letter what must not be told any more, would go
    to another address than its preview said, or lacks a file.
    """
    _refuse_other_contact(draft)
    await refuse_what_became_bait(unit, draft)
    await enclosures.refuse_incomplete(unit, draft)
    return await protection_of(unit, draft.ticket, now, path_of(draft), await load_of(unit, draft))


def _refuse_other_contact(draft: Message) -> None:
    """A letter that is opened again may tell whose it is: what was written to somebody else is not theirs."""
    tag = draft.ticket.contact_tag
    if DraftDetails.load(draft).to not in {"", tag}:
        raise Refusal(
            "Not sent: the ticket's address is another by now than when this was written. `!cancel` it, and "
            "write it again."
        )


async def _hides_subject(unit: Unit, ticket: Ticket) -> bool:
    letters = [each for each in await unit.messages.of(ticket) if each.kind is MessageKind.IN]
    return bool(letters) and hides_subject(letters[0])


def _subject(ticket: Ticket, config: DeskConfig, *, tells: bool) -> str:
    """Return the subject; where it must not tell anything of the user's, nothing in it comes from them."""
    if not tells:
        return tagged(ticket.id, config.queue(ticket.mailbox).role_name)
    return answer_subject(ticket.id, ticket.subject or "")


def _facts_of(ticket: Ticket, draft: Message, protection: Protection, config: DeskConfig) -> str:
    return (
        f"To: {ticket.contact}\n"
        f"From: {config.queue(ticket.mailbox).role_name} <{config.queue(ticket.mailbox).address}>\n"
        f"Protection: {protection.words}\n"
        f"Subject: {draft.subject}"
    )


async def send(work: Work, draft: Message) -> None:
    """Send a held answer on its way now.

    Raises Refusal when it is not held any more, when the user wrote after the answer was begun and nobody has
    read it, or when it cannot be protected any more.
    """
    if draft.state not in OPEN_REPLY:
        raise Refusal(f"This answer is {_WORDS[draft.state]}.")
    if await overtaken(work.unit, draft):
        raise Refusal(READ_FIRST)
    if enclosures.is_fetching(draft):
        raise Refusal("Not sent: a file of this answer is still being fetched. `!detach` does without it.")
    await protection_now(work.unit, draft, work.world.now())
    draft.state = ReplyState.LEAVING
    await put(work, MAIL, f"{MAIL.name}:{draft.id}", ticket=draft.ticket_id, message=draft.id)


async def cancel(work: Work, draft: Message, agent: str) -> None:
    """Take a held answer back; raises Refusal when it has left."""
    if draft.state not in OPEN_REPLY:
        raise Refusal(f"Too late to take back: this answer is {_WORDS[draft.state]}.")
    draft.state = ReplyState.CANCELLED
    await enclosures.forget(work.unit, draft)
    await previews.show_state(work, draft, why=f"taken back by {agent}")


async def give_way(work: Work, draft: Message, agent: str) -> None:
    """End a held answer whose words its author has changed; its files wait for the next one."""
    draft.state = ReplyState.CANCELLED
    for file in await work.unit.enclosures.of(draft):
        file.message_id = None
    await previews.show_state(work, draft, why=f"{agent} has changed the words")
    await work.unit.flush()


def how_it_stands(draft: Message) -> str:
    """Return in a few words what became of an answer that is not held any more."""
    return _WORDS[draft.state]


async def mend_holds(work: Work) -> None:
    """Let holds begin anew that would last longer than they may, as the clock was set back since."""
    for message_id in await work.unit.messages.held_until_after(work.world.now()):
        draft = await locked(work.unit, message_id)
        if draft is None or draft.state is not ReplyState.HELD or draft.hold_until is None:
            continue
        if draft.hold_until - work.world.now() > hold_of(draft):
            draft.hold_until = None
            begin_hold(work, draft)
            await previews.show_state(work, draft)


async def end_hold(work: Work, message_id: int) -> None:
    """Send an answer whose hold has ended, or tell the thread why it stays.

    Where nobody could see the preview yet, the hold has not begun; it may also have begun anew meanwhile.
    """
    draft = await locked(work.unit, message_id)
    if draft is None or draft.state is not ReplyState.HELD or draft.hold_until is None:
        return
    if draft.hold_until > work.world.now():
        return
    try:
        _refuse_anothers(draft)
        await _refuse_unread_edit(work.unit, draft)
        await send(work, draft)
    except Refusal as why:
        draft.state = ReplyState.STALE
        await previews.show_state(work, draft)
        await call(work, draft.ticket, str(why), rank=Rank.ANSWER)


def _refuse_anothers(draft: Message) -> None:
    if _is_anothers(draft):
        raise Refusal(
            f"Not sent: the ticket is {draft.ticket.owner}'s by now. `!send` sends the answer of "
            f"{draft.author} all the same, `!cancel` takes it back."
        )


async def _refuse_unread_edit(unit: Unit, draft: Message) -> None:
    """That it is an edit, and whose, is told in clear; so it can do no more than hold back."""
    if draft.asked_by is not None and await unit.journal.is_edit_unread(draft.asked_by):
        raise Refusal(
            f"Not sent: {draft.author} has edited the command, and I cannot read the new words: their key "
            "has not reached me. Edit it once more; `!send` sends the answer as the preview shows it, "
            "`!cancel` takes it back."
        )


async def overtaken(unit: Unit, draft: Message) -> bool:
    """Tell whether the user wrote something after the answer was begun that nobody has read."""
    newest = await unit.messages.newest_in(draft.ticket)
    return newest > max(draft.base_id or 0, draft.ticket.read_up_to)


_WORDS: dict[ReplyState | None, str] = {
    ReplyState.LEAVING: "on its way",
    ReplyState.SENDING: "on its way",
    ReplyState.SENT: "sent",
    ReplyState.FAILED: "refused by the mail server",
    ReplyState.BOUNCED: "sent, but came back",
    ReplyState.UNCLEAR: "perhaps sent: the mail server did not say",
    ReplyState.CANCELLED: "cancelled",
    None: "no answer to a user",
}
