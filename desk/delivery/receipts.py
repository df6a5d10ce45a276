# SPDX-License-Identifier: AGPL-3.0-or-later
"""What follows when an outbox row has left, was refused, or is unclear."""

import json

from desk.context import Work
from desk.duty.pings import call
from desk.outbox.posts import say_in_thread, show_state
from desk.outbox.ranks import Rank
from desk.replies import attaching, files, previews
from desk.replies.drafts import READ_FIRST, begin_hold, locked, path_of
from desk.replies.protection import Path
from storage.models import Outbox, ReplyState, Side
from storage.unit import Unit

SEND_KEY = "✅"
CANCEL_KEY = "❌"
CLAIM_KEY = "👀"


async def delivered(work: Work, row: Outbox) -> None:
    """Note what came of a row that has left."""
    match row.kind:
        case "announce":
            await _announced(work.unit, row)
        case "preview":
            await _previewed(work, row)
        case previews.EDIT:
            await _edited(work, row)
        case "mail":
            await _mailed(work, row)
        case _:
            pass


async def _announced(unit: Unit, row: Outbox) -> None:
    """The newest announcement roots the thread; an older one may leave late, after the ticket was moved."""
    ticket = await unit.tickets.get(row.ticket_id or 0, lock=True)
    if ticket is not None and (await unit.outbox.announcements(ticket.id))[-1] is row:
        ticket.event_id = row.event_id


async def _previewed(work: Work, row: Outbox) -> None:
    draft = await locked(work.unit, row.message_id or 0)
    if draft is None:
        return
    previews.was_shown(draft, row.event_id or "")
    begin_hold(work, draft)
    if draft.state is ReplyState.HELD:
        await previews.offer_button(work, row, CANCEL_KEY)


async def _edited(work: Work, row: Outbox) -> None:
    """A hold that was stopped, as files came or went, begins anew once the preview shows them."""
    draft = await locked(work.unit, row.message_id or 0)
    if draft is None or draft.hold_until is not None or previews.event_of(draft) is None:
        return
    begin_hold(work, draft)


async def _mailed(work: Work, row: Outbox) -> None:
    message = await locked(work.unit, row.message_id or 0)
    if message is None:
        return
    message.state = ReplyState.SENT
    message.at = work.world.now()
    await files.forget(work.unit, message)
    ticket = message.ticket
    if path_of(message) is Path.AUTOMATIC:
        await say_in_thread(work, ticket, "The automatic first answer has left.")
        return
    overtaken = await work.unit.messages.newest_in(ticket) > (message.base_id or 0)
    ticket.answered_at = work.world.now()
    if not overtaken:
        ticket.last_public, ticket.last_public_at = Side.DESK, work.world.now()
    await previews.show_state(work, message)
    await show_state(work, ticket)


async def postponed(work: Work, row: Outbox) -> None:
    """Show once of a mail that does not leave at once that it is on its way."""
    message = await locked(work.unit, row.message_id or 0) if row.kind == "mail" and row.tries == 1 else None
    if message is not None and message.state in {ReplyState.LEAVING, ReplyState.SENDING}:
        await previews.show_state(work, message)


async def refused(work: Work, row: Outbox) -> bool:
    """Tell the thread that a mail was refused; False when operators have to hear of the row."""
    if row.kind in {"preview", previews.EDIT}:
        await _not_shown(work, row)
        return False
    if row.kind == attaching.FETCH:
        await attaching.give_up(work, row)
        return True
    return await _tell_end(work, row, ReplyState.FAILED, f"The answer was NOT sent: {row.error}")


async def _not_shown(work: Work, row: Outbox) -> None:
    draft = await locked(work.unit, row.message_id or 0)
    if draft is None or draft.state is not ReplyState.HELD or draft.hold_until is not None:
        return
    draft.state = ReplyState.STALE
    words = f"Not sent: the preview of the answer could not be shown ({row.error}). `!send` or `!cancel` it."
    await call(work, draft.ticket, words, rank=Rank.ANSWER)


async def overtaken(work: Work, row: Outbox) -> None:
    """Hold a mail again that had not left when the user wrote again."""
    await _tell_end(work, row, ReplyState.STALE, READ_FIRST)


async def unclear(work: Work, row: Outbox) -> bool:
    """Tell the thread that nobody knows whether a mail has left; False when the row is no mail."""
    words = (
        f"It is UNCLEAR whether the answer has left: {row.error}. It is not sent again by itself, "
        "so that the user does not get it twice. "
        "If you want to be sure, ask the mail server's admin, or `!reply` again."
    )
    return await _tell_end(work, row, ReplyState.UNCLEAR, words)


async def _tell_end(work: Work, row: Outbox, state: ReplyState, words: str) -> bool:
    message = await locked(work.unit, row.message_id or 0) if row.kind == "mail" else None
    if message is None:
        return False
    message.state = state
    # It is not sent again by itself, and after the ticket's end by nobody.
    if state is ReplyState.UNCLEAR or (state is ReplyState.FAILED and message.ticket.closed_at is not None):
        await files.forget(work.unit, message)
    if path_of(message) is Path.AUTOMATIC:
        words = f"About the automatic first answer: {words}"
    await previews.show_state(work, message, why=row.error or "")
    await call(work, message.ticket, words, rank=Rank.ANSWER)
    await show_state(work, message.ticket)
    return True


def reaction_of(payload: str) -> tuple[str, str]:
    """Return event id and key of a reaction row."""
    fields = json.loads(payload)
    return fields["event_id"], fields["key"]
