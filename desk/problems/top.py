# SPDX-License-Identifier: AGPL-3.0-or-later
"""What most people suffer from: problems by the number of people who have met them, not of mails."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from desk.context import Work
from storage.models import Problem
from storage.queries.problems import Span

MOST_SHOWN = 10
_MOST_PARTS = 4


@dataclass(frozen=True)
class TopRequest:
    """Of how many days, and in which language and version, if not in all."""

    days: int = 30
    language: str | None = None
    version: str | None = None


async def top(work: Work, wanted: TopRequest) -> str:
    """Return the problems that most people have met, a line or two each, with the change against before."""
    end = work.world.now().date() + dt.timedelta(days=1)
    start = end - dt.timedelta(days=wanted.days)
    span = Span(start, end, wanted.language, wanted.version)
    before = Span(start - dt.timedelta(days=wanted.days), start, wanted.language, wanted.version)
    problems = work.unit.problems
    found = await problems.top(span, MOST_SHOWN)
    numbers = [problem.id for problem, _ in found]
    earlier = await problems.people(before, numbers)
    versions = await problems.people_by_version(span, numbers)
    languages = await problems.people_by_language(span, numbers)
    lines = [_title(wanted, found)]
    for problem, people in found:
        lines.append(f"{_people(people)} {_change(people - earlier.get(problem.id, 0))} {_name(problem)}")
        parts = (_parts(problem, versions), _parts(problem, languages))
        lines.append(f"  {' · '.join(filter(None, parts))}")
    without = await problems.without(span)
    lines.append(
        f"Of the tickets of this time, {without} {'is' if without == 1 else 'are'} linked to no problem."
    )
    return "\n".join(lines)


def _title(wanted: TopRequest, found: Iterable[object]) -> str:
    about = "".join(f", {what}" for what in (wanted.language, wanted.version) if what)
    if not found:
        return f"No problem was met in the last {wanted.days} days{about}."
    return (
        f"Problems of the last {wanted.days} days{about}, by people (and the change against the time before):"
    )


def _people(number: int) -> str:
    return "1 person" if number == 1 else f"{number} people"


def _change(difference: int) -> str:
    return f"({difference:+d})" if difference else "(=)"


def _name(problem: Problem) -> str:
    known = f" {problem.subject}" if problem.subject else ""
    return f"#{problem.issue}{known}" + (f" [{problem.status}]" if problem.status else "")


def _parts(problem: Problem, counts: Mapping[tuple[int, str], int]) -> str:
    """Return the commonest parts, such as "7.1 ×9, 7.0 ×5"."""
    own = [(value, count) for (number, value), count in counts.items() if number == problem.id]
    own.sort(key=lambda each: (-each[1], each[0]))
    more = len(own) - _MOST_PARTS
    words = [f"{value or 'version unknown'} ×{count}" for value, count in own[:_MOST_PARTS]]
    return ", ".join((*words, f"{more} more") if more > 0 else words)
