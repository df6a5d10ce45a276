# SPDX-License-Identifier: AGPL-3.0-or-later
"""The checks of the demo: what was looked at, what was found, and what follows from it."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table
from rich.text import Text


@dataclass(frozen=True)
class StepFinding:
    """One check that was made; `seen` is what was looked at, in a few words."""

    claim: str
    holds: bool
    seen: str


class Findings:
    """The checks in the order in which they were made."""

    def __init__(self) -> None:
        self._made: list[StepFinding] = []

    def check(self, claim: str, *, holds: bool, seen: str) -> None:
        """Keep the outcome of one check."""
        self._made.append(StepFinding(claim, holds, seen))

    @property
    def failed(self) -> int:
        """How many did not hold."""
        return sum(not each.holds for each in self._made)

    @property
    def exit_code(self) -> int:
        """0 when there were checks and all of them held."""
        return os.EX_OK if self._made and not self.failed else 1

    def table(self) -> Table:
        """The summary."""
        table = Table(
            title="What was promised, and what was found",
            caption=f"{len(self._made)} checks, {self.failed} failed",
            show_lines=False,
            expand=True,
        )
        table.add_column("")
        table.add_column("promise", ratio=3)
        table.add_column("looked at", ratio=2)
        for each in self._made:
            mark = Text("✔", style="bold green") if each.holds else Text("✘ FAILED", style="bold red")
            table.add_row(mark, Text(each.claim), Text(each.seen, style="dim"))
        return table


def files_with(folder: Path, words: Iterable[str]) -> set[str]:
    """The names of the files below `folder` in which one of the words stands, in readable form."""
    wanted = [word.encode("utf-8") for word in words]
    found = set()
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            if any(word in content for word in wanted):
                found.add(path.name)
    return found
