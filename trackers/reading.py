# SPDX-License-Identifier: AGPL-3.0-or-later
"""Outbox rows of the kind "problem.read": an issue is read, and told in the ticket's thread."""

import json

import structlog

from desk.context import Workplace
from desk.outbox.outcomes import Delivered, Impossible, Later, OutboxItem, Outcome
from desk.outbox.posts import finish, say_in_thread
from desk.outbox.ranks import Rank
from storage.models import OutboxState
from storage.unit import Unit
from trackers.tracker import Issue, NoSuchIssue, Tracker, TrackerTrouble

log = structlog.get_logger()


class IssueReader:
    """Carries the rows of this kind: `senders[READ] = IssueReader(place, tracker).read`."""

    def __init__(self, place: Workplace, tracker: Tracker | None) -> None:
        """Without a tracker, links are kept and this is said."""
        self._place = place
        self._tracker = tracker

    async def read(self, parcel: OutboxItem) -> Outcome:
        """Read the issue and tell the thread; a tracker that is down is told once and asked again later."""
        issue = issue_of(parcel.payload)
        if issue is None:
            return Impossible("The row names no issue.")
        if not await self._is_linked(issue):
            return Delivered()
        if self._tracker is None:
            await self._tell(parcel, f"Linked to #{issue}. The config names no tracker to read it from.")
            return Delivered()
        try:
            found = await self._tracker.read(issue)
        except NoSuchIssue:
            name = self._tracker.name
            text = f"{name} has no issue #{issue}, or does not show it. `!unlink #{issue}` undoes the link."
            await self._tell(parcel, text)
        except TrackerTrouble as trouble:
            return await self._postpone(parcel, issue, trouble)
        else:
            await self._note(parcel, found)
        return Delivered()

    async def _is_linked(self, issue: int) -> bool:
        async with self._place.units() as unit:
            problem = await unit.problems.by_issue(issue)
            return problem is not None and bool(await unit.problems.tickets(problem))

    async def _postpone(self, parcel: OutboxItem, issue: int, trouble: TrackerTrouble) -> Outcome:
        log.warning("tracker-trouble", row=parcel.id, trouble=type(trouble).__name__)
        if parcel.tries == 0:
            text = f"The link to #{issue} is kept, but the issue could not be read. {trouble} I try again."
            await self._tell(parcel, text, done=False)
        return Later(str(trouble))

    async def _note(self, parcel: OutboxItem, found: Issue) -> None:
        async with self._place.units() as unit:
            problem = await unit.problems.by_issue(found.number)
            if problem is None:
                return
            problem.subject, problem.status = found.subject, found.status
            problem.target_version, problem.read_at = found.target_version, self._place.world.now()
            await self._say(unit, parcel, f"#{found.number} {found.url}", _words(found))

    async def _tell(self, parcel: OutboxItem, text: str, *, done: bool = True) -> None:
        async with self._place.units() as unit:
            await self._say(unit, parcel, text, done=done)

    async def _say(
        self, unit: Unit, parcel: OutboxItem, text: str, quote: str = "", *, done: bool = True
    ) -> None:
        row = await unit.outbox.get(parcel.id)
        if row is not None:
            # In the same unit, so that a crash right after it does not have it told again.
            row.tries += 1
            if done:
                finish(self._place.world, row, OutboxState.SENT)
        ticket = await unit.tickets.get(parcel.ticket or 0)
        if ticket is not None:
            await say_in_thread(self._place.work(unit), ticket, text, quote=quote, rank=Rank.ANSWER)


def issue_of(payload: str) -> int | None:
    """Return the number of the issue in a row's payload, {"issue": 12}; None when there is none."""
    fields = json.loads(payload or "{}")
    number = fields.get("issue") if isinstance(fields, dict) else fields
    return number if isinstance(number, int) and number > 0 else None


def _words(found: Issue) -> str:
    """The issue in three lines: they are the tracker's words, so they are shown as a quotation."""
    closed = " (closed)" if found.closed else ""
    version = found.target_version or "none"
    return f"{found.subject}\nStatus: {found.status}{closed}\nTarget version: {version}"
