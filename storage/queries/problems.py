# SPDX-License-Identifier: AGPL-3.0-or-later
"""Named queries on problems, on the tickets linked to them, and on who has met them."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, delete, distinct, func, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute

from storage.models import Link, Problem, Sighting, Ticket
from storage.queries.base import Queries


@dataclass(frozen=True)
class Span:
    """Which sightings count: of days from `start` up to `end`, in one language and version or in all."""

    start: dt.date
    end: dt.date
    language: str | None = None
    version: str | None = None
    """Finds what is below it, too: 7 finds 7.1."""


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
        self._session.add(_sighting(ticket, problem))
        await self._session.flush()
        return problem, True

    async def unlink(self, ticket: Ticket, issue: int) -> bool:
        """Take a link off; False when it was not there."""
        found = next((link for link in ticket.links if link.problem.issue == issue), None)
        if found is not None:
            ticket.links.remove(found)
            seen = delete(Sighting).where(
                Sighting.ticket_id == ticket.id, Sighting.problem_id == found.problem.id
            )
            await self._session.execute(seen)
            await self._session.flush()
        return found is not None

    async def tickets(self, problem: Problem) -> Sequence[int]:
        """Return the numbers of the tickets linked to a problem."""
        query = select(Link.ticket_id).where(Link.problem_id == problem.id).order_by(Link.ticket_id)
        return (await self._session.scalars(query)).all()

    async def top(self, span: Span, limit: int) -> Sequence[tuple[Problem, int]]:
        """Return the problems that most people have met, each with how many."""
        people = func.count(distinct(Sighting.reporter_tag))
        query = select(Problem, people).join(Sighting, Sighting.problem_id == Problem.id).where(*_in(span))
        query = query.group_by(Problem.id).order_by(people.desc(), Problem.issue.desc()).limit(limit)
        return [(row[0], row[1]) for row in await self._session.execute(query)]

    async def people(self, span: Span, problems: Sequence[int]) -> dict[int, int]:
        """Return how many people have met each of these problems."""
        query = select(Sighting.problem_id, func.count(distinct(Sighting.reporter_tag)))
        query = query.where(*_in(span), Sighting.problem_id.in_(problems)).group_by(Sighting.problem_id)
        return {row[0]: row[1] for row in await self._session.execute(query)}

    async def people_by_version(self, span: Span, problems: Sequence[int]) -> dict[tuple[int, str], int]:
        """Return how many people have met each of these problems, by version."""
        return await self._people_by(Sighting.version, span, problems)

    async def people_by_language(self, span: Span, problems: Sequence[int]) -> dict[tuple[int, str], int]:
        """Return how many people have met each of these problems, by language."""
        return await self._people_by(Sighting.language, span, problems)

    async def _people_by(
        self, column: InstrumentedAttribute[str], span: Span, problems: Sequence[int]
    ) -> dict[tuple[int, str], int]:
        query = select(Sighting.problem_id, column, func.count(distinct(Sighting.reporter_tag)))
        query = query.where(*_in(span), Sighting.problem_id.in_(problems))
        rows = await self._session.execute(query.group_by(Sighting.problem_id, column))
        return {(row[0], row[1]): row[2] for row in rows}

    async def without(self, span: Span) -> int:
        """Return how many tickets that were opened in this time are linked to no problem."""
        since, until = (dt.datetime.combine(day, dt.time(), dt.UTC) for day in (span.start, span.end))
        has_link = select(Link.ticket_id).where(Link.ticket_id == Ticket.id).exists()
        query = select(func.count()).select_from(Ticket)
        query = query.where(Ticket.opened_at >= since, Ticket.opened_at < until, ~has_link)
        query = query.where(*_of(span, Ticket.language, Ticket.tails_version))
        return await self._session.scalar(query) or 0

    async def update_sightings(self, ticket: Ticket) -> None:
        """Have a ticket's sightings say what the ticket says by now."""
        now = _known_of(ticket)
        await self._session.execute(update(Sighting).where(Sighting.ticket_id == ticket.id).values(**now))


def _sighting(ticket: Ticket, problem: Problem) -> Sighting:
    day = ticket.opened_at.date()
    return Sighting(problem_id=problem.id, ticket_id=ticket.id, day=day, **_known_of(ticket))


def _known_of(ticket: Ticket) -> dict[str, str]:
    return {
        "language": ticket.language,
        "version": ticket.tails_version or "",
        "reporter_tag": ticket.contact_tag or ticket.whisperback_tag or ticket.reply_tag,
    }


def _in(span: Span) -> list[ColumnElement[bool]]:
    of = _of(span, Sighting.language, Sighting.version)
    return [Sighting.day >= span.start, Sighting.day < span.end, *of]


def _of(
    span: Span, language: InstrumentedAttribute[str], version: InstrumentedAttribute[Any]
) -> list[ColumnElement[bool]]:
    """Return what languages and versions must be: these, or below them, as pt-br is below pt."""
    wanted: list[ColumnElement[bool]] = []
    if span.language is not None:
        wanted.append(
            or_(language == span.language, language.startswith(f"{span.language}-", autoescape=True))
        )
    if span.version is not None:
        below = version.startswith(f"{span.version}.", autoescape=True)
        wanted.append(or_(version == span.version, below))
    return wanted
