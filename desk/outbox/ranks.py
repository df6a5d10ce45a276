# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whose turn it is to speak where the homeserver limits how much the bot says."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from enum import IntEnum
from itertools import count

_CALM_SECONDS = 30.0
"""So long after the last refusal, all speak freely again."""
_LONGEST_SECONDS = 60.0
_MARGIN_SECONDS = 0.05
_PATIENCE_SECONDS = 10.0
"""So long the others wait for whoever has its turn."""


class Rank(IntEnum):
    """What goes first."""

    ANSWER = 0
    """To what a person has said or pressed."""
    EDIT = 1
    """What keeps up to date, or is mere convenience."""
    USUAL = 2


class Turns:
    """Everybody speaks at once until the homeserver refuses; then one after the other, by rank.

    The limit counts all that the bot sends, so that rooms wait for each other.
    """

    def __init__(self) -> None:
        """Nothing is limited yet."""
        self._opens_at = float("-inf")
        self._waiting: set[tuple[Rank, int]] = set()
        self._number = count()
        self._since: float | None = None
        """When the one began that has its turn."""
        self._change = asyncio.Event()
        self._is_closed = False

    def limited(self, after: float) -> None:
        """Note that nothing is taken for so many seconds."""
        self._opens_at = _now() + min(after, _LONGEST_SECONDS) + _MARGIN_SECONDS
        self._tell()

    def close(self) -> None:
        """Let nobody wait any more."""
        self._is_closed = True
        self._tell()

    @contextlib.asynccontextmanager
    async def turn(self, rank: Rank) -> AsyncIterator[None]:
        """Wait for one's turn, which lasts as long as the block."""
        if _now() > self._opens_at + _CALM_SECONDS and not self._waiting:
            yield
            return
        await self._wait((rank, next(self._number)))
        began = self._since = _now()
        try:
            yield
        finally:
            if self._since == began:
                self._since = None
                self._tell()

    async def _wait(self, place: tuple[Rank, int]) -> None:
        self._waiting.add(place)
        try:
            while (pause := self._pause(place)) > 0:
                change = self._change
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await change.wait()
        finally:
            self._waiting.remove(place)
            self._tell()

    def _pause(self, place: tuple[Rank, int]) -> float:
        """Return after how many seconds to look again; 0 when it is this one's turn."""
        if self._is_closed:
            return 0.0
        closed = self._opens_at - _now()
        busy = 0.0 if self._since is None else self._since + _PATIENCE_SECONDS - _now()
        behind = _PATIENCE_SECONDS if min(self._waiting) != place else 0.0
        return max(closed, busy, behind, 0.0)

    def _tell(self) -> None:
        self._change.set()
        self._change = asyncio.Event()


def _now() -> float:
    return asyncio.get_running_loop().time()
