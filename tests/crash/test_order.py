# SPDX-License-Identifier: AGPL-3.0-or-later
"""A kill does not test the sync, as the kernel keeps what was written: the order of calls is looked at."""

import re
from pathlib import Path

import pytest

from tests.crash.conftest import Ground
from tests.crash.story import story

pytestmark = pytest.mark.asyncio(loop_scope="package")

LETTERS = 5
CALLS = ("-f", "-y", "-s", "64", "-e", "trace=pwrite64,fdatasync,sendto,write")
SYNCED = re.compile(r"(fdatasync\(.*helproom\.db-wal>|fdatasync resumed>)\) += 0")


def unsynced_answers(trace: str) -> list[bool]:
    """For each 250 after a letter: whether the write-ahead log was not synced, or not written."""
    found, written, waiting = [], 0, 0
    for line in trace.splitlines():
        if "pwrite64(" in line and "helproom.db-wal" in line:
            written, waiting = written + 1, waiting + 1
        elif SYNCED.search(line):
            waiting = 0
        elif "250 2.0.0 Kept" in line:
            found.append(bool(waiting) or not written)
            written = 0
    return found


async def _trace(ground: Ground, wrong: str) -> str:
    trace: Path = ground.folder / "order"
    async with story(ground.model, ground.place(), wrong=wrong, door_only=True) as told:
        life = await ground.nursery.bear(told.plan, *CALLS, "-o", str(trace))
        try:
            for _ in range(LETTERS):
                await told.post()
                told.letter, told.acknowledged = told.letter + b"Another line.\r\n", False
        finally:
            await life.end()
    return trace.read_text()  # noqa: ASYNC240 - all is over


@pytest.mark.timeout(120)
async def test_at_each_250_the_letter_is_synced(ground: Ground) -> None:
    assert unsynced_answers(await _trace(ground, "")) == [False] * LETTERS


@pytest.mark.timeout(120)
async def test_an_early_250_is_seen_in_the_trace(ground: Ground) -> None:
    assert any(unsynced_answers(await _trace(ground, "early-250")))
