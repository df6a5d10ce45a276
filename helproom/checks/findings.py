# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a check has found: one line for the person who runs Helproom."""

from dataclasses import dataclass
from enum import StrEnum


class CheckState(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """One line: which part, how bad, and a sentence that says what to do when there is something to do."""

    part: str
    state: CheckState
    sentence: str


def ok(part: str, sentence: str) -> Finding:
    """All is well."""
    return Finding(part, CheckState.OK, sentence)


def warning(part: str, sentence: str) -> Finding:
    """It works, and something should be done."""
    return Finding(part, CheckState.WARNING, sentence)


def problem(part: str, sentence: str) -> Finding:
    """It does not work."""
    return Finding(part, CheckState.PROBLEM, sentence)
