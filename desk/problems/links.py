# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which known bug a ticket is about."""

from desk.context import Work
from desk.outbox.kinds import Kind
from desk.outbox.posts import put, show_state
from desk.world import Refusal
from storage.models import Ticket
from storage.sealing.columns import to_json

READ = Kind("problem.read")
"""What reads an issue in the tracker."""


async def link(work: Work, ticket: Ticket, issue: int, *, by: str) -> str:
    """Link a ticket to an issue, and have the issue read outside this unit; return what to say.

    Raises Refusal when it was linked before.
    """
    problem, is_new = await work.unit.problems.link(ticket, issue, by=by, at=work.world.now())
    if not is_new:
        raise Refusal(f"Ticket {ticket.id} is linked to #{issue} already.")
    await put(work, READ, f"problem:{problem.id}", to_json({"issue": issue}), ticket=ticket.id)
    await show_state(work, ticket)
    others = len(await work.unit.problems.tickets(problem)) - 1
    more = f" {others} other tickets are linked to it." if others else ""
    return f"Linked to #{issue}; it is being read.{more}"


async def unlink(work: Work, ticket: Ticket, issue: int) -> str:
    """Take a link off; raises Refusal when it was not there."""
    if not await work.unit.problems.unlink(ticket, issue):
        raise Refusal(f"Ticket {ticket.id} is not linked to #{issue}.")
    await show_state(work, ticket)
    return f"No longer linked to #{issue}."
