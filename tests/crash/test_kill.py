# SPDX-License-Identifier: AGPL-3.0-or-later
"""Killed at any system call, the desk loses nothing and does nothing twice.

The story: one letter comes by LMTP from a mail server that tries until it gets its 250; the ticket is
announced in a room of a homeserver that once loses an answer, once says 429 and once 500; an agent says
`!show`, `!claim` and `!reply`; the answer leaves by SMTP. The desk is killed by SIGKILL at the N-th call of
one system call, for N = 1, 2, 3 ... until the story ends before. Then it is started again and left alone. At
the end there must be one ticket, one announcement, one effect and one answer of each command, and one mail,
or at most one and a word in the thread that it is unclear.

What is left out. The desk is tests/crash/desk_program.py: the parts of `helproom run`, on an SQLite database
that is there already, but Matrix is without encryption and has a sync loop of its own. Kills while it is
imported, signs in or makes rooms are not met. What is sampled: without HELPROOM_CRASH=all every 3rd
`pwrite64` is a point, every 20th of the wake-ups (some 600 `sendto` from SQLite's thread to the main thread),
and the stories with an encrypted letter have few points each. Every other point is met each time.
"""

import asyncio
import os
from dataclasses import dataclass, field
from itertools import count

import pytest

from tests.crash.conftest import Ground
from tests.crash.story import PLAIN, SECRET, End, story
from tests.crash.tracing import Calls

ALL = os.environ.get("HELPROOM_CRASH") == "all"
AT_ONCE = 2
UNREACHED_IN_A_ROW = 3
"""How often a story differs a little: a point counts as out of reach when so many in a row were."""
DAY = 7200

PWRITE, FDATASYNC = Calls("pwrite64", by_all=True), Calls("fdatasync", by_all=True)
SENDTO, WAKE_UP = Calls("sendto", by_all=False), Calls("sendto", by_all=True)
CONNECT, CONNECT_CHILD = Calls("connect", by_all=False), Calls("connect", by_all=True)


@dataclass
class Loop:
    """N = 1, 1 + stride, ... until not reached."""

    ground: Ground
    calls: Calls
    stride: int = 1
    letter: bytes = PLAIN
    wrong: str = ""
    calm: bool = False
    ends: list[End] = field(default_factory=list)
    bad: dict[int, list[str]] = field(default_factory=dict)
    _unreached: int = 0

    async def run(self) -> None:
        """Tell the story once for each point, several at once."""
        numbers = count(1, self.stride)
        async with asyncio.TaskGroup() as together:
            for _ in range(AT_ONCE):
                together.create_task(self._run(numbers))
        killed, stalled = self.ends.count(End.KILLED), self.ends.count(End.STALLED)
        print(f"\n{self.calls}: {killed} points, {stalled} in children")  # noqa: T201 - who runs it wants to know

    async def _run(self, numbers: "count[int]") -> None:
        while self._unreached < UNREACHED_IN_A_ROW and not (self.wrong and self.bad):
            await self.meet(next(numbers))

    async def meet(self, number: int) -> None:
        """Tell the story with a kill at one point."""
        folder = self.ground.folder / f"{self.calls.name}{number}"
        async with story(self.ground.model, folder, calm=self.calm, wrong=self.wrong) as told:
            told.letter = self.letter
            await told.tell(self.ground.nursery, self.calls.killing(number))
            self.ends.append(told.end)
            self._unreached = self._unreached + 1 if told.end is End.UNTOUCHED else 0
            if wrong := told.judge():
                self.bad[number] = wrong


@pytest.mark.timeout(DAY)
@pytest.mark.parametrize(
    ("calls", "stride", "least"),
    [
        (PWRITE, 1 if ALL else 3, 60),
        (FDATASYNC, 1, 25),
        (SENDTO, 1, 25),
        (WAKE_UP, 1 if ALL else 20, 15),
        (CONNECT, 1, 2),
        (CONNECT_CHILD, 1, 2),
    ],
    ids=str,
)
async def test_a_kill_at_any_call_loses_nothing_and_doubles_nothing(
    ground: Ground, calls: Calls, stride: int, least: int
) -> None:
    loop = Loop(ground, calls, stride)
    await loop.run()
    assert loop.bad == {}
    assert loop.ends.count(End.KILLED) >= least


@pytest.mark.timeout(DAY)
@pytest.mark.parametrize(
    ("calls", "stride"), [(PWRITE, 150), (FDATASYNC, 9), (SENDTO, 11), (CONNECT, 2)], ids=str
)
async def test_nor_does_one_with_an_encrypted_letter(ground: Ground, calls: Calls, stride: int) -> None:
    loop = Loop(ground, calls, 1 if ALL else stride, letter=SECRET)
    await loop.run()
    assert loop.bad == {}
    assert loop.ends.count(End.KILLED) >= 2


async def test_without_a_kill_the_story_ends_well_too(ground: Ground) -> None:
    async with story(ground.model, ground.folder / "run") as told:
        await told.tell(ground.nursery, ())
        assert (told.end, told.judge()) == (End.UNTOUCHED, [])


@pytest.mark.timeout(DAY)
@pytest.mark.parametrize(
    ("wrong", "calls", "stride", "complaint"),
    [
        ("early-250", PWRITE, 1, "0 instead of 1: letter"),
        ("early-250", FDATASYNC, 1, "0 instead of 1: ticket"),
        ("fresh-ids", PWRITE, 12, "2 "),
    ],
)
async def test_the_check_finds_a_desk_that_is_wrong(
    ground: Ground, wrong: str, calls: Calls, stride: int, complaint: str
) -> None:
    async with story(ground.model, ground.folder / "run", wrong=wrong, calm=True) as told:
        await told.tell(ground.nursery, ())
        assert told.judge() == []
    loop = Loop(ground, calls, stride, wrong=wrong, calm=True)
    await loop.run()
    assert any(complaint in each for found in loop.bad.values() for each in found)
