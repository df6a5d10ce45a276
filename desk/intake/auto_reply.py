# SPDX-License-Identifier: AGPL-3.0-or-later
"""The automatic first answer: a template, once a day to an address, never to where programs are silent."""

import datetime as dt

from desk.context import Work
from desk.intake import rate_limit
from desk.intake.context import Arrival
from desk.letters.no_reply import is_unread
from desk.outbox.posts import Slot, put, tell_operators
from desk.replies.drafts import MAIL
from desk.replies.protection import Path, protection_of
from desk.replies.subjects import tagged
from desk.replies.templates import chain, existing, fill, values_for, variant
from desk.world import Refusal
from storage.models import Message, MessageKind, ReplyState, Ticket
from storage.sealing.columns import to_json

_DAY, _HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)
_BROKEN, _NO_TEXT = "first-answer.breaker", "first-answer.text"


async def give(desk: Work, arrival: Arrival, ticket: Ticket) -> None:
    """Answer a new ticket's first letter by template, if the config names one and nothing speaks against it.

    It goes to the ticket's contact alone, through the outbox as any mail, and quotes nothing. Where it could
    not be protected as the ticket demands, none leaves.
    """
    if desk.house.first_answer is None or not await _may(desk, arrival, ticket):
        return
    try:
        text = await _text(desk, ticket, desk.house.first_answer)
    except Refusal as why:
        await _tell_once(desk, _NO_TEXT, f"No automatic first answer leaves: {why}")
        return
    await desk.unit.facts.set(_NO_TEXT, "")
    try:
        await protection_of(desk.unit, ticket, desk.world.now(), Path.AUTOMATIC)
    except Refusal:
        return
    message = await _keep(desk, ticket, text)
    slot = Slot(MAIL, f"{MAIL}:{message.id}", ticket=ticket.id, message=message.id)
    await put(desk.unit, desk.world, slot)


async def _may(desk: Work, arrival: Arrival, ticket: Ticket) -> bool:
    """RFC 3834, 2: to people only, not to ourselves, once a day, and not in a flood."""
    opened = arrival.opened
    # A report's own headers speak for the relay; the person is the one inside.
    if not opened.by_whisperback and (opened.automatic is not None or opened.is_unanswerable):
        return False
    contact = ticket.contact
    if not contact or desk.house.is_ours(contact) or is_unread(contact) or await rate_limit.is_on(desk.unit):
        return False
    now, sent = desk.world.now(), desk.unit.messages.automatic_since
    return not await sent(now - _DAY, ticket.contact_tag) and not await _is_broken(
        desk, await sent(now - _HOUR)
    )


async def _is_broken(desk: Work, sent: int) -> bool:
    """Stop for as long as more leave than any usual hour brings, and say so once."""
    most = desk.house.most_first_answers
    if sent < most:
        await desk.unit.facts.set(_BROKEN, "")
        return False
    text = (
        f"{most} automatic first answers have left within an hour, so none leaves until they are fewer. "
        "Look whether programs write to the desk; tickets are opened as ever."
    )
    await _tell_once(desk, _BROKEN, text)
    return True


async def _tell_once(desk: Work, fact: str, text: str) -> None:
    if not await desk.unit.facts.get(fact):
        await desk.unit.facts.set(fact, desk.world.now().isoformat())
        await tell_operators(desk.unit, desk.world, text)


async def _text(desk: Work, ticket: Ticket, name: str) -> str:
    template = await existing(desk.unit, name)
    wording = variant(template, chain(ticket.language, desk.house))
    return fill(template.name, wording, values_for(desk.house, ticket))


async def _keep(desk: Work, ticket: Ticket, text: str) -> Message:
    message = Message(
        ref=desk.world.token(),
        ticket=ticket,
        kind=MessageKind.OUT,
        at=desk.world.now(),
        state=ReplyState.LEAVING,
        base_id=await desk.unit.messages.newest_in(ticket),
    )
    message.text = text
    message.subject = tagged(ticket.id, desk.house.queue(ticket.mailbox).role_name)
    message.details = to_json({"path": Path.AUTOMATIC, "to": ticket.contact_tag})
    return await desk.unit.messages.add(message)
