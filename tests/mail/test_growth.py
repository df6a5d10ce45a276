# SPDX-License-Identifier: AGPL-3.0-or-later
"""Twice as much from a stranger is at most twice the work, counted in calls and not in seconds.

What a single call does is not seen here: `scripts/bench hostile` measures it in time.
"""

import sys
from collections.abc import Callable

import pytest

from tests.mail.floods import FLOODS, Flood

SIZE = 32 * 1024
SLACK = 2.4
"""Buffers that grow are copied now and then."""
SPARE = 3000


def calls_of(work: Callable[[], object]) -> int:
    """Count calls of functions, Python's own too."""
    count = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("flood", FLOODS, ids=str)
def test_twice_as_much_is_at_most_twice_the_work(flood: Flood) -> None:
    flood.reader(flood.of(SIZE))  # what is imported or compiled at the first use
    once, twice = (calls_of(lambda: flood.reader(flood.of(size))) for size in (SIZE, 2 * SIZE))  # noqa: B023
    assert twice <= SLACK * once + SPARE


def test_quadratic_work_would_be_seen() -> None:
    def scan(data: bytes) -> list[int]:
        return [data.find(b"x", at) for at in range(0, len(data), 64) for _ in range(at // 640)]

    once, twice = (calls_of(lambda: scan(bytes(size))) for size in (SIZE, 2 * SIZE))  # noqa: B023
    assert twice > SLACK * once + SPARE
