# SPDX-License-Identifier: AGPL-3.0-or-later
"""An issue tracker as the desk sees it: one question, one answer, three ways to fail."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Issue:
    """An issue as the tracker shows it now; all texts are somebody else's words."""

    number: int
    subject: str
    status: str
    closed: bool
    target_version: str | None
    url: str


class TrackerTrouble(Exception):
    """The tracker gave no issue; the text is a sentence for agents, without the tracker's words."""


class NoSuchIssue(TrackerTrouble):
    """The tracker knows no issue of this number, or does not show it to us."""


class TrackerDown(TrackerTrouble):
    """The tracker does not answer, or not as one; it may later."""


class TrackerRefused(TrackerTrouble):
    """The tracker does not let us in; somebody has to mend that, and then it works."""


class Tracker(Protocol):
    """Where issues are read from."""

    name: str
    """What agents call it."""

    async def read(self, issue: int) -> Issue:
        """Read one issue. Raises NoSuchIssue, TrackerDown or TrackerRefused."""
