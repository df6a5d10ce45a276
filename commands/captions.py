# SPDX-License-Identifier: AGPL-3.0-or-later
"""Files that commands attach: a command may be the caption of the file that is meant."""

from commands.context import Context
from desk.replies import attaching
from desk.replies.attaching import AttachRequest
from desk.world import Refusal
from storage.models import Ticket


async def attach_own_file(context: Context, ticket: Ticket) -> None:
    """Attach the file on which the command is written; edited words find it attached."""
    if context.event.is_file and not await context.unit.enclosures.by_event(context.event.original_id):
        await attach_file(context, ticket, context.event.original_id)


async def attach_file(context: Context, ticket: Ticket, file: str | None) -> None:
    """Attach a file of the ticket's thread, or without one the agent's newest there."""
    if context.thread is None or ticket.event_id != context.thread:
        raise Refusal(f"Say it in the thread of ticket {ticket.id}, where the file has to be.")
    wish = AttachRequest(context.agent, context.event.original_id, context.thread, file)
    await attaching.ask(context.work, ticket, context.room, wish)
