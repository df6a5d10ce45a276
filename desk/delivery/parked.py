# SPDX-License-Identifier: AGPL-3.0-or-later
"""What could not leave the house: listed, and tried again when a person says so."""

from desk.context import Work
from desk.outbox.posts import is_aside
from desk.replies import files, previews
from desk.replies.drafts import locked
from desk.world import Refusal
from storage.models import Outbox, OutboxState, ReplyState
from storage.unit import Unit


async def listed(unit: Unit) -> str:
    """Return the parked rows with their reasons."""
    rows = await unit.outbox.in_state(OutboxState.PARKED)
    if not rows:
        return "Nothing is parked."
    return "\n".join(
        f"{row.id}: {row.kind}{f' for ticket {row.ticket_id}' if row.ticket_id else ''}: {row.error}"
        for row in rows
    )


async def unpark(work: Work, row_id: int) -> str:
    """Let a parked row be tried again at once; raises Refusal when it is not parked."""
    row = await work.unit.outbox.get(row_id)
    if row is None or row.state is not OutboxState.PARKED:
        raise Refusal(f"Row {row_id} is not parked.")
    await _try_again(work, row)
    return f"Row {row_id} is tried again."


async def unpark_all(work: Work) -> str:
    """Let all parked rows of rooms be tried again; raises Refusal when there are none.

    Mails stay: each was refused for a reason of its own, which an agent was told.
    """
    rows = [row for row in await work.unit.outbox.in_state(OutboxState.PARKED) if row.room is not None]
    if not rows:
        raise Refusal("Nothing is parked that was to go to a room.")
    for row in rows:
        await _try_again(work, row)
    return f"{len(rows)} rows are tried again." if len(rows) > 1 else "One row is tried again."


async def _try_again(work: Work, row: Outbox) -> None:
    message = await locked(work.unit, row.message_id) if row.message_id and row.kind == "mail" else None
    if message is not None:
        await files.refuse_incomplete(work.unit, message)
    row.state, row.tries, row.due_at = OutboxState.PENDING, 0, work.world.now()
    if is_aside(row):
        for waiting in await work.unit.outbox.in_state(OutboxState.PENDING):
            if waiting.lane == row.lane:
                waiting.due_at = work.world.now()
    if message is not None:
        message.state = ReplyState.LEAVING
        await previews.show_state(work, message)
    work.unit.wake("outbox")
