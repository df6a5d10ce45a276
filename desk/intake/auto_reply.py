# SPDX-License-Identifier: AGPL-3.0-or-later
"""The automatic first answer: a template, once a day to an address, never to where programs are silent."""

import datetime as dt

from desk.context import Work
from desk.intake import rate_limit
from desk.intake.context import Arrival
from desk.letters.no_reply import is_unread
from desk.outbox.posts import put, tell_operators
from desk.replies.mail import MAIL
from desk.replies.protection import Path, protection_of
from desk.replies.subjects import tagged
from desk.replies.templates import chain, existing, fill, values_for, variant
from desk.tickets.details import DraftDetails
from desk.world import Refusal
from storage.models import Message, MessageKind, ReplyState, Ticket

_DAY, _HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)
_BROKEN, _NO_TEXT = "first-answer.breaker", "first-answer.text"


async def give(work: Work, arrival: Arrival, ticket: Ticket) -> None:
    """Answer a new ticket's first letter by template, if the config names one and nothing speaks against it.

    It goes to the ticket's contact alone, through the outbox as any mail, and quotes nothing. Where it could
    not be protected as the ticket demands, none leaves.
    """
    if work.config.replies.first_answer is None or not await _may(work, arrival, ticket):
        return
    try:
        text = await _text(work, ticket, work.config.replies.first_answer)
    except Refusal as why:
        await _tell_once(work, _NO_TEXT, f"No automatic first answer leaves: {why}")
        return
    await work.unit.facts.set(_NO_TEXT, "")
    try:
        await protection_of(work.unit, ticket, work.world.now(), Path.AUTOMATIC)
    except Refusal:
        return
    message = await _keep(work, ticket, text)
    await put(work, MAIL, f"{MAIL.name}:{message.id}", ticket=ticket.id, message=message.id)


async def _may(work: Work, arrival: Arrival, ticket: Ticket) -> bool:
    """RFC 3834, 2: to people only, not to ourselves, once a day, and not in a flood."""
    opened = arrival.opened
    # A report's own headers speak for the relay; the person is the one inside.
    if not opened.by_whisperback and (opened.automatic is not None or opened.is_unanswerable):
        return False
    contact = ticket.contact
    if not contact or work.config.is_ours(contact) or is_unread(contact) or await rate_limit.is_on(work.unit):
        return False
    now, sent = work.world.now(), work.unit.messages.automatic_since
    return not await sent(now - _DAY, ticket.contact_tag) and not await _is_broken(
        work, await sent(now - _HOUR)
    )


async def _is_broken(work: Work, sent: int) -> bool:
    """Stop for as long as more leave than any usual hour brings, and say so once."""
    most = work.config.replies.most_first_answers
    if sent < most:
        await work.unit.facts.set(_BROKEN, "")
        return False
    text = (
        f"{most} automatic first answers have left within an hour, so none leaves until they are fewer. "
        "Look whether programs write to the desk; tickets are opened as ever."
    )
    await _tell_once(work, _BROKEN, text)
    return True


async def _tell_once(work: Work, fact: str, text: str) -> None:
    if not await work.unit.facts.get(fact):
        await work.unit.facts.set(fact, work.world.now().isoformat())
        await tell_operators(work, text)


async def _text(work: Work, ticket: Ticket, name: str) -> str:
    template = await existing(work.unit, name)
    wording = variant(template, chain(ticket.language, work.config))
    return fill(template.name, wording, values_for(work.config, ticket))


async def _keep(work: Work, ticket: Ticket, text: str) -> Message:
    message = Message(
        ref=work.world.token(),
        ticket=ticket,
        kind=MessageKind.OUT,
        at=work.world.now(),
        state=ReplyState.LEAVING,
        base_id=await work.unit.messages.newest_in(ticket),
    )
    message.text = text
    message.subject = tagged(ticket.id, work.config.queue(ticket.mailbox).role_name)
    DraftDetails(path=Path.AUTOMATIC.value, to=ticket.contact_tag).store(message)
    return await work.unit.messages.add(message)
