# SPDX-License-Identifier: AGPL-3.0-or-later
"""Messages that could not be sent: listed, and tried again when a person says so."""

from desk.context import Work
from desk.outbox.kinds import Kinds
from desk.outbox.posts import is_aside
from desk.world import Refusal
from storage.models import Outbox, OutboxState
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


async def unpark(work: Work, kinds: Kinds, row_id: int) -> str:
    """Let a parked row be tried again at once; raises Refusal when it is not parked."""
    row = await work.unit.outbox.get(row_id)
    if row is None or row.state is not OutboxState.PARKED:
        raise Refusal(f"Row {row_id} is not parked.")
    await _try_again(work, kinds, row)
    return f"Row {row_id} is tried again."


async def unpark_all(work: Work, kinds: Kinds) -> str:
    """Let all parked rows of rooms be tried again; raises Refusal when there are none.

    Mails stay: each was refused for a reason of its own, which an agent was told.
    """
    rows = [row for row in await work.unit.outbox.in_state(OutboxState.PARKED) if row.room is not None]
    if not rows:
        raise Refusal("Nothing is parked that was to go to a room.")
    for row in rows:
        await _try_again(work, kinds, row)
    return f"{len(rows)} rows are tried again." if len(rows) > 1 else "One row is tried again."


async def _try_again(work: Work, kinds: Kinds, row: Outbox) -> None:
    tried_again = kinds[row.kind].tried_again
    if tried_again is not None:
        await tried_again(work, row)
    row.state, row.due_at = OutboxState.PENDING, work.world.now()
    row.tries = row.surprises = row.refusals = 0
    if is_aside(row):
        for waiting in await work.unit.outbox.in_state(OutboxState.PENDING):
            if waiting.lane == row.lane:
                waiting.due_at = work.world.now()
    work.unit.wake("outbox")
