# SPDX-License-Identifier: AGPL-3.0-or-later
"""What could not leave the house: listed, and tried again when a person says so."""

from desk.world import Refusal, World
from storage.states import OutboxState, ReplyState
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


async def unpark(unit: Unit, world: World, row_id: int) -> str:
    """Let a parked row be tried again at once; raises Refusal when it is not parked."""
    row = await unit.outbox.get(row_id)
    if row is None or row.state is not OutboxState.PARKED:
        raise Refusal(f"Row {row_id} is not parked.")
    row.state, row.tries, row.due_at = OutboxState.PENDING, 0, world.now()
    message = (
        await unit.messages.get(row.message_id, lock=True) if row.message_id and row.kind == "mail" else None
    )
    if message is not None:
        message.state = ReplyState.LEAVING
    unit.outbox.added = True
    return f"Row {row_id} is tried again."
