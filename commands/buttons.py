# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reactions that are buttons: each does what a command does."""

from commands.context import Context, Reply
from desk.outbox.posts import CANCEL_KEY, CLAIM_KEY, SEND_KEY
from desk.outbox.ranks import Rank
from desk.replies import drafts
from desk.search import pages
from desk.tickets import actions, threads
from desk.tickets.locks import locked
from desk.world import Refusal
from storage.models import Message

_TURNING = frozenset({pages.BACK_KEY, pages.NEXT_KEY})


async def react(context: Context) -> Reply | None:
    """Act on a reaction to one of our events, if it is a button; the event shows what came of it.

    Raises Refusal with a sentence for the person.
    """
    event_id, key = context.event.relates_to or "", context.event.key
    if key == CLAIM_KEY:
        await _claim(context, event_id)
        return None
    if key in _TURNING:
        row = await context.unit.outbox.by_event(event_id)
        if row is not None and row.kind == pages.PAGE.name:
            await pages.turn(context.work, row, key, context.event.event_id)
        return None
    draft = await _draft(context, event_id)
    if draft is None:
        return None
    if key == SEND_KEY:
        # Reactions can be forged: what was not begun by the same person does not leave by one.
        if draft.author != context.agent:
            raise Refusal("✅ sends only one's own answer; `!send` sends this one.")
        await drafts.send(context.work, draft)
        return None
    if key == CANCEL_KEY:
        await drafts.cancel(context.work, draft, context.agent)
        return None
    return None


async def _claim(context: Context, event_id: str) -> None:
    ticket = await context.unit.tickets.by_event(event_id, lock=True)
    if ticket is None:
        thread = await threads.of_event(context.unit, event_id)
        if thread is None:
            return
        raise threads.refuse_ended(thread.ticket, thread.elsewhere)
    await actions.claim(context.work, ticket, context.agent, rank=Rank.ANSWER)


async def _draft(context: Context, event_id: str) -> Message | None:
    row = await context.unit.outbox.by_event(event_id)
    if row is None or row.kind != "preview" or row.message_id is None:
        return None
    return await locked(context.unit, row.message_id)
