# SPDX-License-Identifier: AGPL-3.0-or-later
"""A process that empties a config's mailboxes once, and kills itself at a step: CONFIG STEP COUNT."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from helproom.config import for_desk
from helproom.config.settings import read_settings
from helproom.jobs.mailboxes import open_mailboxes

STEPS = ("before keeping", "after keeping", "after moving")


class Killer:
    """Kills the process, as kill -9 does, at the COUNTth time of a step."""

    def __init__(self, step: str, count: int) -> None:
        self._step = step
        self._left = count

    def __call__(self, step: str) -> None:
        if step == self._step:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


async def fetch(config: Path, killer: Killer) -> None:
    """Run until every mailbox waits for news."""
    settings = read_settings(config)
    place = for_desk.open_place(settings)
    [fetcher] = open_mailboxes(settings, place).fetchers
    fetcher._doing = replace(fetcher._doing, keep=_around(fetcher._doing.keep, killer))
    box, loop, empty = fetcher._mailbox, asyncio.get_running_loop(), asyncio.Event()
    box.put_away = _then(box.put_away, lambda: killer("after moving"))
    box.wait = _first(box.wait, lambda: loop.call_soon_threadsafe(empty.set))
    running = asyncio.create_task(fetcher.run())
    await empty.wait()
    running.cancel()
    await asyncio.wait([running])
    await place.units.close()


def _around(keep: Any, killer: Killer) -> Any:
    async def kept(arrival: Any) -> None:
        killer("before keeping")
        await keep(arrival)
        killer("after keeping")

    return kept


def _then(step: Callable[..., Any], after: Callable[[], object]) -> Callable[..., None]:
    def both(*words: Any) -> None:
        step(*words)
        after()

    return both


def _first(step: Callable[[], Any], before: Callable[[], object]) -> Callable[[], None]:
    def both() -> None:
        before()
        step()

    return both


if __name__ == "__main__":
    asyncio.run(fetch(Path(sys.argv[1]), Killer(sys.argv[2], int(sys.argv[3]))))
