# SPDX-License-Identifier: AGPL-3.0-or-later
"""Killed at any system call, the desk loses nothing and does nothing twice.

The story: one letter comes by LMTP from a mail server that tries until it gets its 250; the ticket is
announced in an encrypted room of a homeserver that loses an answer, says 429 and 500; an agent with a client
of her own says `!show`, `!claim` and `!reply`; the answer leaves by SMTP. The desk is killed by SIGKILL at
the N-th call of one system call. Then it is started again and left alone. At the end there must be one
ticket, one announcement, one effect and one answer of each command, and one mail, or at most one and a word
in the thread that it is unclear; there must be no room too many and nothing that the agent cannot read.

The desk is `helproom run` on an SQLite database (tests/crash/desk_program.py says what differs). It is told
three times: with a plain letter, with an encrypted one, and with a desk that has never been started, which
makes its database, logs in, signs its device and makes its rooms. With HELPROOM_CRASH=all N is 1, 2, 3 ...
until not reached; else the first and the last call and some evenly spread between them, each kind of call in
the tale that makes most of it. On PostgreSQL these system calls are made by the server, so that they are not
met here.
"""

import asyncio
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count

import pytest

from tests.crash.conftest import Ground
from tests.crash.story import PLAIN, SECRET, End, story
from tests.crash.tracing import COUNTED, Calls, Census

pytestmark = pytest.mark.asyncio(loop_scope="package")

ALL = os.environ.get("HELPROOM_CRASH") == "all"
AT_ONCE = 2
UNREACHED_IN_A_ROW = 3
"""How often a story differs a little: a point counts as out of reach when so many in a row were."""
DAY = 7200

PWRITE, FDATASYNC = Calls("pwrite64", by_all=True), Calls("fdatasync", by_all=True)
KEYS_PWRITE, KEYS_FDATASYNC = Calls("pwrite64", by_all=False), Calls("fdatasync", by_all=False)
"""The main thread writes the store of the encryption keys, and nothing else."""
SENDTO, WAKE_UP = Calls("sendto", by_all=False), Calls("sendto", by_all=True)
CONNECT, CONNECT_CHILD = Calls("connect", by_all=False), Calls("connect", by_all=True)
EVERY = (PWRITE, FDATASYNC, KEYS_PWRITE, KEYS_FDATASYNC, SENDTO, WAKE_UP, CONNECT, CONNECT_CHILD)


@dataclass(frozen=True)
class Tale:
    """Which story is told."""

    name: str
    letter: bytes = PLAIN
    is_new: bool = False
    wrong: str = ""
    calm: bool = False

    def __str__(self) -> str:
        return self.name


USUAL, ENCRYPTED = Tale("plain"), Tale("encrypted", letter=SECRET)
FIRST_START = Tale("first start", is_new=True)


@dataclass
class Loop:
    """A tale told once for each point, several at once."""

    ground: Ground
    tale: Tale
    calls: Calls
    ends: list[End] = field(default_factory=list)
    bad: dict[int, list[str]] = field(default_factory=dict)
    _unreached: int = 0

    async def run(self, points: Iterable[int]) -> None:
        """Meet each point until too many in a row are out of reach."""
        numbers = iter(points)
        async with asyncio.TaskGroup() as together:
            for _ in range(AT_ONCE):
                together.create_task(self._run(numbers))

    async def _run(self, numbers: Iterator[int]) -> None:
        for number in numbers:
            await self.meet(number)
            if self._unreached >= UNREACHED_IN_A_ROW or (self.tale.wrong and self.bad):
                return

    async def meet(self, number: int) -> None:
        """Tell the tale with a kill at one point."""
        tale = self.tale
        where = self.ground.place()
        async with story(
            self.ground.model, where, calm=tale.calm, is_new=tale.is_new, wrong=tale.wrong
        ) as told:
            told.letter = tale.letter
            await told.tell(self.ground.nursery, self.calls.killing(number))
            self.ends.append(told.end)
            self._unreached = self._unreached + 1 if told.end is End.UNTOUCHED else 0
            if wrong := told.judge():
                self.bad[number] = wrong

    @property
    def met(self) -> int:
        """How often somebody was killed."""
        return len(self.ends) - self.ends.count(End.UNTOUCHED)


async def census(ground: Ground, tale: Tale) -> Census:
    """Tell a tale without a kill, see that it ends well, and count its calls."""
    trace = ground.place()
    async with story(
        ground.model, ground.place(), calm=tale.calm, is_new=tale.is_new, wrong=tale.wrong
    ) as told:
        told.letter = tale.letter
        await told.tell(ground.nursery, (*COUNTED, str(trace)))
        assert (told.end, told.judge()) == (End.UNTOUCHED, [])
        return Census.taken(told.pid, trace.read_text())


def spread(last: int, amount: int) -> list[int]:
    """Return so many numbers from 1 to `last`, both among them."""
    return sorted({round(1 + step * (last - 1) / (amount - 1)) for step in range(amount)})


@pytest.mark.timeout(DAY)
@pytest.mark.parametrize(
    ("tale", "amounts"),
    [
        (USUAL, (3, 2, 0, 0, 3, 2, 0, 2)),
        (ENCRYPTED, (2, 0, 0, 0, 2, 0, 0, 0)),
        (FIRST_START, (2, 0, 2, 2, 0, 0, 2, 0)),
    ],
    ids=str,
)
async def test_a_kill_at_any_call_loses_nothing_and_doubles_nothing(
    ground: Ground, tale: Tale, amounts: tuple[int, ...]
) -> None:
    counted = await census(ground, tale)
    for calls, amount in zip(EVERY, amounts, strict=True):
        if not (ALL or amount):
            continue
        last = counted.of(calls)
        loop = Loop(ground, tale, calls)
        await loop.run(count(1) if ALL else spread(last, amount))
        stalled = loop.ends.count(End.STALLED)
        print(f"\n{tale}, {calls}: {loop.met} points of {last}, {stalled} in children")  # noqa: T201
        assert loop.bad == {}, calls
        assert loop.met >= (0.9 * last if ALL else min(amount, last) - 1) > 0


@pytest.mark.timeout(DAY)
@pytest.mark.parametrize(
    ("wrong", "calls", "stride", "complaint"),
    [
        ("early-250", PWRITE, 1, "0 instead of 1: letter"),
        ("fresh-ids", PWRITE, 14, r"said 2 times|2 announcements|2 mails"),
    ],
)
async def test_the_check_finds_a_desk_that_is_wrong(
    ground: Ground, wrong: str, calls: Calls, stride: int, complaint: str
) -> None:
    tale = Tale(wrong, wrong=wrong, calm=True)
    # One that says 250 too early may have written nothing by then.
    first = max(1, (await census(ground, tale)).of_before_250(calls))
    loop = Loop(ground, tale, calls)
    await loop.run(range(first, first + 60 * stride, stride))
    assert any(re.search(complaint, each) for found in loop.bad.values() for each in found)
