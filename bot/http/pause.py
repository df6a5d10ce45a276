# SPDX-License-Identifier: AGPL-3.0-or-later
"""Growing pauses between attempts, so that a homeserver in trouble is not made worse."""

import asyncio
from collections.abc import Awaitable, Callable

FIRST = 1.0
LONGEST = 60.0
LONGEST_ASKED = 3600.0


class Pause:
    """1, 2, 4 ... 60 s, stretched by up to half as much again, never shorter than the homeserver asks."""

    def __init__(
        self,
        *,
        jitter: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """`jitter` gives numbers from 0 up to 1; `sleep` takes seconds."""
        self._jitter = jitter
        self._sleep = sleep
        self.failures = 0

    def succeeded(self) -> None:
        """Begin again with the shortest pause."""
        self.failures = 0

    async def wait(self, asked: float | None = None) -> None:
        """Sleep; each call without `succeeded` between sleeps longer."""
        grown = min(LONGEST, FIRST * 2 ** min(self.failures, 10))
        self.failures += 1
        stretched = min(LONGEST, grown * (1 + self._jitter() / 2))
        await self._sleep(max(stretched, min(asked or 0.0, LONGEST_ASKED)))
