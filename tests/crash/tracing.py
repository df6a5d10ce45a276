# SPDX-License-Identifier: AGPL-3.0-or-later
"""Processes to be killed, and the strace that kills them at a chosen system call."""

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from tests.crash.desk_program import Plan

TRACER_SECONDS = 3.0
"""A tracer has this long to see its tracees end; children of a killed desk may live on under it."""


def strace() -> str:
    """Return where strace is; fail when it is missing, as nothing else here can do its work."""
    found = shutil.which("strace")
    assert found, "These tests kill the desk with strace: install Debian's package strace."
    return found


@dataclass
class Nursery:
    """A process that has everything imported and forks a desk for each plan."""

    process: Process
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def bear(self, plan: Plan, *options: str) -> "Life":
        """Make a process for a plan, traced when there are options for strace, and let it go."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        go = Path(plan.folder) / "go"
        go.unlink(missing_ok=True)
        async with self._turn:
            self.process.stdin.write(json.dumps(asdict(plan)).encode() + b"\n")
            pid = int(await self.process.stdout.readline())
        tracer = await _attach(pid, options) if options else None
        go.touch()
        return Life(pid, tracer)


@dataclass
class Life:
    """One process from its start to its end."""

    pid: int
    tracer: Process | None

    @property
    def lives(self) -> bool:
        """Whether it has not been killed yet."""
        try:
            state = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return False
        return state not in "ZX"

    async def stop(self) -> None:
        """Ask it to stop, and wait until it has."""
        os.kill(self.pid, signal.SIGTERM)
        await self._is_gone()

    async def end(self) -> None:
        """Kill it, if nobody has, and let the tracer go.

        A strace told to end while its tracees die can wait for one of them for ever: it gets time first.
        """
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        if self.tracer is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TRACER_SECONDS):
                    await self.tracer.wait()
            with contextlib.suppress(ProcessLookupError):
                self.tracer.kill()
            await self.tracer.wait()
        await self._is_gone()

    async def _is_gone(self) -> None:
        while self.lives:  # noqa: ASYNC110 - a process rings no bell
            await asyncio.sleep(0.002)


async def _attach(pid: int, options: tuple[str, ...]) -> Process:
    tracer = await asyncio.create_subprocess_exec(
        strace(), *options, "-p", str(pid), stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE
    )
    assert tracer.stderr is not None
    said = await tracer.stderr.readline()
    assert b"attached" in said, f"strace cannot trace here: {said.decode()}"
    return tracer


@dataclass(frozen=True)
class Calls:
    """System calls of one name, made by the main thread or by any thread and child (strace -f).

    strace counts for each thread by itself: with all of them traced, the busiest one meets its end.
    """

    name: str
    by_all: bool

    def killing(self, number: int) -> tuple[str, ...]:
        """Options for strace: SIGKILL at the `number`-th call, before it is made."""
        inject = f"inject={self.name}:signal=SIGKILL:when={number}"
        follow = ("-f",) if self.by_all else ()
        return (*follow, "-e", f"trace={self.name}", "-e", inject, "-o", os.devnull)

    def __str__(self) -> str:
        return f"{self.name} by {'all threads' if self.by_all else 'the main thread'}"


COUNTED = ("-f", "-s", "64", "-e", "trace=pwrite64,fdatasync,sendto,connect", "-o")
"""Options for strace that make a census; the file's name comes after them."""
_CALL = re.compile(r"(\d+) +(pwrite64|fdatasync|sendto|connect)\(")


@dataclass(frozen=True)
class Census:
    """How often each thread of an untouched desk made each call: in all, and before it said 250."""

    pid: int
    whole: Counter[tuple[int, str]]
    before_250: Counter[tuple[int, str]]

    @classmethod
    def taken(cls, pid: int, trace: str) -> Self:
        """Read a trace made with COUNTED; `pid` is the main thread."""
        whole: Counter[tuple[int, str]] = Counter()
        before: Counter[tuple[int, str]] = Counter()
        for line in trace.splitlines():
            if "250 2.0.0 Kept" in line and not before:
                before = whole.copy()
            if call := _CALL.match(line):
                whole[int(call[1]), call[2]] += 1
        return cls(pid, whole, before)

    def of(self, calls: Calls) -> int:
        """How many there are to be killed at, one after the other."""
        return self._busiest(self.whole, calls)

    def of_before_250(self, calls: Calls) -> int:
        """How many of them come before the letter is acknowledged."""
        return self._busiest(self.before_250, calls)

    def _busiest(self, counted: Counter[tuple[int, str]], calls: Calls) -> int:
        return max(
            (
                number
                for (thread, name), number in counted.items()
                if name == calls.name and (calls.by_all or thread == self.pid)
            ),
            default=0,
        )


@contextlib.asynccontextmanager
async def nursery() -> AsyncIterator[Nursery]:
    """Open a nursery for the time of the block."""
    command = (sys.executable, "-m", "tests.crash.desk_program")
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, start_new_session=True)
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        assert await process.stdout.readline() == b"ready\n"
        yield Nursery(process)
    finally:
        process.stdin.close()
        await process.wait()
