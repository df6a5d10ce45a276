# SPDX-License-Identifier: AGPL-3.0-or-later
"""The mail that carries an answer: what becomes of the answer when it has left, or has not."""

import datetime as dt

from desk.context import Work
from desk.duty.pings import call
from desk.outbox.kinds import MINUTE, Kind
from desk.outbox.posts import say_in_thread, show_state
from desk.outbox.ranks import Rank
from desk.replies import files, previews
from desk.replies.protection import Path, path_of
from desk.tickets.locks import locked
from storage.models import Outbox, ReplyState, Side

READ_FIRST = "Not sent: the user wrote again meanwhile. Read it first (`!show`), then `!send` or `!cancel`."


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


async def _postponed(work: Work, row: Outbox) -> None:
    """Show once of a mail that does not leave at once that it is on its way."""
    message = await locked(work.unit, row.message_id or 0) if row.tries == 1 else None
    if message is not None and message.state in {ReplyState.LEAVING, ReplyState.SENDING}:
        await previews.show_state(work, message)


async def _refused(work: Work, row: Outbox) -> bool:
    return await _tell_end(work, row, ReplyState.FAILED, f"The answer was NOT sent: {row.error}")


async def _overtaken(work: Work, row: Outbox) -> None:
    """Hold a mail again that had not left when the user wrote again."""
    await _tell_end(work, row, ReplyState.STALE, READ_FIRST)


async def _unclear(work: Work, row: Outbox) -> None:
    """Tell the thread that nobody knows whether a mail has left."""
    words = (
        f"It is UNCLEAR whether the answer has left: {row.error}. It is not sent again by itself, "
        "so that the user does not get it twice. "
        "If you want to be sure, ask the mail server's admin, or `!reply` again."
    )
    await _tell_end(work, row, ReplyState.UNCLEAR, words)


async def _tried_again(work: Work, row: Outbox) -> None:
    """Let a mail leave after all. Raises Refusal when a file of it is gone."""
    message = await locked(work.unit, row.message_id or 0)
    if message is not None:
        await files.refuse_incomplete(work.unit, message)
        message.state = ReplyState.LEAVING
        await previews.show_state(work, message)


async def _tell_end(work: Work, row: Outbox, state: ReplyState, words: str) -> bool:
    """Tell the thread how a mail has ended; False when its message is gone."""
    message = await locked(work.unit, row.message_id or 0)
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


MAIL = Kind(
    "mail",
    first_pause=MINUTE,
    longest_pause=dt.timedelta(hours=1),
    lifetime=dt.timedelta(days=3),
    sent=_mailed,
    postponed=_postponed,
    failed=_refused,
    unclear=_unclear,
    overtaken=_overtaken,
    tried_again=_tried_again,
)
