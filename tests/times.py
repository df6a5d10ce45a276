# SPDX-License-Identifier: AGPL-3.0-or-later
"""How long tests take: the long ones begin first, and the end of a run tells where its time went."""

from collections import defaultdict

import pytest

LONG = ("tests/crash", "tests/stories", "tests/helproom", "tests/bot")
"""Folders whose tests start whole programs: no worker is to begin with them at the very end."""
SLOWEST = 10


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Set the long ones first, in the order of `LONG`."""
    items.sort(key=lambda item: _rank(item.nodeid))


def _rank(nodeid: str) -> int:
    return next((at for at, folder in enumerate(LONG) if nodeid.startswith(folder)), len(LONG))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print seconds by folder, and the slowest tests, set-up and all."""
    folders: defaultdict[str, float] = defaultdict(float)
    tests: defaultdict[str, float] = defaultdict(float)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                folders["/".join(report.nodeid.partition("::")[0].split("/")[:2])] += report.duration
                tests[report.nodeid] += report.duration
    if len(folders) < 2:
        return
    terminalreporter.section("seconds by folder, of all workers together")
    for folder, seconds in sorted(folders.items(), key=lambda each: -each[1]):
        terminalreporter.line(f"{seconds:8.1f} {folder}")
    terminalreporter.section(f"slowest {SLOWEST}")
    for test, seconds in sorted(tests.items(), key=lambda each: -each[1])[:SLOWEST]:
        terminalreporter.line(f"{seconds:8.1f} {test}")
