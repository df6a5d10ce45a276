# SPDX-License-Identifier: AGPL-3.0-or-later
"""Twice as much from a stranger is at most twice the work, counted in calls and not in seconds.

What a single call does is not seen here: `scripts/bench hostile` measures it in time.
"""

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from mail.openpgp.packets import Malformed, dearmor, is_newer, packets, recipients
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


class Watched(bytes):
    """Bytes that count how many of them are taken out."""

    taken = 0

    def __getitem__(self, where: Any) -> Any:
        """Take some out."""
        found = super().__getitem__(where)
        self.taken += len(found) if isinstance(found, bytes) else 1
        return found


@pytest.mark.parametrize("reader", [is_newer, recipients, dearmor, lambda data: list(packets(data))])
@pytest.mark.parametrize("packet", [b"\xc1\x00", b"\xc3\x00", b"\x84\x00", b"\xc1\xff\x00\x00\x00\x00"])
def test_packets_are_read_without_copying_all_that_follows(
    reader: Callable[[bytes], object], packet: bytes
) -> None:
    data = Watched(packet * 5000)
    with suppress(Malformed):
        reader(data)
    assert data.taken <= 8 * len(data)


def test_quadratic_work_would_be_seen() -> None:
    def scan(data: bytes) -> list[int]:
        return [data.find(b"x", at) for at in range(0, len(data), 64) for _ in range(at // 640)]

    once, twice = (calls_of(lambda: scan(bytes(size))) for size in (SIZE, 2 * SIZE))  # noqa: B023
    assert twice > SLACK * once + SPARE
