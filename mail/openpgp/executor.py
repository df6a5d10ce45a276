# SPDX-License-Identifier: AGPL-3.0-or-later
"""The threads in which GnuPG is waited for, beside the event loop."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class GpgExecutor:
    """The threads in which GnuPG is waited for: as many as there are cores."""

    def __init__(self, size: int | None = None) -> None:
        self._pool = ThreadPoolExecutor(size or os.cpu_count() or 1, thread_name_prefix="openpgp")

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run blocking `work` in one of the threads."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, lambda: work(*args, **kwargs))

    def close(self) -> None:
        """Wait for what is under way and take no more."""
        self._pool.shutdown()
