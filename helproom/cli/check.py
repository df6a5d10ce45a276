# SPDX-License-Identifier: AGPL-3.0-or-later
"""`helproom check`: tries every part, and says for each what is wrong and how to mend it."""

import argparse
import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict

from rich.console import Console
from rich.text import Text

from helproom import logs
from helproom.checks.database import check_database
from helproom.checks.findings import CheckState, Finding, ok, problem
from helproom.checks.limit import check_limit
from helproom.checks.machine import check_code, check_data_dir, check_lmtp
from helproom.checks.mailboxes import check_mailboxes
from helproom.checks.matrix import check_matrix
from helproom.checks.openpgp import check_openpgp
from helproom.checks.servers import check_redmine, check_submission
from helproom.cli.exit_codes import explain
from helproom.config.configfile import ConfigTrouble
from helproom.config.sections.log import LogSection
from helproom.config.settings import Settings, find_config, read_settings

Check = Callable[[Settings], AsyncIterator[Finding]]

SECONDS = 45.0


def join(*checks: tuple[str, Check]) -> tuple[tuple[str, Check], ...]:
    """Return checks with the names of their parts; raises TypeError when two have the same."""
    names = [name for name, _ in checks]
    if len(set(names)) < len(names):
        raise TypeError(f"Two checks have one name: {names}")
    return checks


CHECKS = join(
    ("code", check_code),
    ("data folder", check_data_dir),
    ("database", check_database),
    ("OpenPGP", check_openpgp),
    ("letters in", check_lmtp),
    ("mailboxes", check_mailboxes),
    ("answers out", check_submission),
    ("Matrix", check_matrix),
    ("Matrix limit", check_limit),
    ("Redmine", check_redmine),
)
_MARKS = {
    CheckState.OK: ("ok", "green"),
    CheckState.WARNING: ("WARN", "yellow"),
    CheckState.PROBLEM: ("FAIL", "bold red"),
}


def check(asked: argparse.Namespace) -> int:
    """Try every part; 0 when all is well (warnings allowed), 78 for a broken config, 69 otherwise."""
    logs.set_up(LogSection(level="error"))
    show = _show_json if asked.json else _show_line
    file = find_config(asked.config)
    try:
        settings = read_settings(file)
    except ConfigTrouble as trouble:
        for line in str(trouble).splitlines():
            show(problem("config", line))
        return os.EX_CONFIG
    show(ok("config", f"{file} is complete."))
    worst = asyncio.run(_try_all(settings, show))
    return os.EX_UNAVAILABLE if worst else os.EX_OK


async def _try_all(settings: Settings, show: Callable[[Finding], None]) -> bool:
    """Return whether there is a problem."""
    found_problem = False
    for part, attempt in CHECKS:
        async for finding in _guarded(part, attempt, settings):
            show(finding)
            found_problem = found_problem or finding.state is CheckState.PROBLEM
    return found_problem


async def _guarded(part: str, attempt: Check, settings: Settings) -> AsyncIterator[Finding]:
    try:
        async with asyncio.timeout(SECONDS):
            async for finding in attempt(settings):
                yield finding
    except TimeoutError:
        yield problem(part, f"This took longer than {SECONDS:.0f} seconds.")
    except Exception as error:  # noqa: BLE001 - one part that breaks must not hide the others
        trouble = explain(error)
        yield problem(part, trouble.sentence if trouble else f"The check broke ({type(error).__name__}).")


def _show_json(finding: Finding) -> None:
    Console(soft_wrap=True, highlight=False, markup=False).print(json.dumps(asdict(finding)))


def _show_line(finding: Finding) -> None:
    mark, style = _MARKS[finding.state]
    line = Text.assemble((f"{mark:<5}", style), (f"{finding.part}: ", "bold"), finding.sentence)
    Console(soft_wrap=True, highlight=False).print(line)


__all__ = ["CHECKS", "check"]
