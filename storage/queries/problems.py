# SPDX-License-Identifier: AGPL-3.0-or-later
"""Named queries on problems and on the tickets linked to them."""

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import select

from storage.models import Link, Problem, Ticket
from storage.queries.base import Queries


class Problems(Queries):
    """Known bugs, by the number of their issue."""

    async def by_issue(self, issue: int) -> Problem | None:
        """Return the problem of an issue."""
        return await self._session.scalar(select(Problem).where(Problem.issue == issue))

    async def get(self, problem_id: int) -> Problem | None:
        """Return one problem."""
        return await self._session.get(Problem, problem_id)

    async def link(self, ticket: Ticket, issue: int, *, by: str, at: dt.datetime) -> tuple[Problem, bool]:
        """Link a ticket to an issue; return the problem and whether the link is new."""
        known = next((link.problem for link in ticket.links if link.problem.issue == issue), None)
        if known is not None:
            return known, False
        problem = await self.by_issue(issue)
        if problem is None:
            problem = Problem(issue=issue)
            self._session.add(problem)
            await self._session.flush()
        ticket.links.append(Link(problem=problem, linked_by=by, linked_at=at))
        await self._session.flush()
        return problem, True

    async def unlink(self, ticket: Ticket, issue: int) -> bool:
        """Take a link off; False when it was not there."""
        found = next((link for link in ticket.links if link.problem.issue == issue), None)
        if found is not None:
            ticket.links.remove(found)
            await self._session.flush()
        return found is not None

    async def tickets(self, problem: Problem) -> Sequence[int]:
        """Return the numbers of the tickets linked to a problem."""
        query = select(Link.ticket_id).where(Link.problem_id == problem.id).order_by(Link.ticket_id)
        return (await self._session.scalars(query)).all()
