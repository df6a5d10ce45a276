# SPDX-License-Identifier: AGPL-3.0-or-later
"""Runs a desk: opens its parts, joins its features, and keeps them running until it is told to stop."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial

import structlog

from bot.identity.session import Session
from desk.delivery.delivery import Delivery, retry_storage
from desk.kinds import KINDS
from helproom.config.settings import Settings
from helproom.features.feature import Door, Feature, join
from helproom.features.features import FEATURES
from helproom.jobs.schedule import keep_calendar, repeat
from helproom.parts.opening import open_parts
from helproom.parts.parts import DeskParts, Parts

log = structlog.get_logger()

DRAIN_SECONDS = 20
"""How long a stop waits for what is being handed over; the rest goes on at the next start."""


@dataclass(frozen=True)
class Running:
    """A desk that is running."""

    parts: Parts
    doors: tuple[Door, ...]

    @property
    def desk(self) -> DeskParts:
        """Return its settings, database and keys."""
        return self.parts.desk

    @property
    def session(self) -> Session:
        """Return the bot's session."""
        return self.parts.matrix.session

    @property
    def lmtp_port(self) -> int:
        """Return the port at which LMTP is spoken; 0 where it is not."""
        return next((door.port for door in self.doors), 0)


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; what is under way is finished or told as unclear at the next start.

    Raises MatrixError, StorageTrouble, KeyringUnusable, SecretUnusable or OSError with a sentence.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serving(settings) as running:
        log.info("ready", lmtp_port=running.lmtp_port)
        await stop.wait()
        log.info("stopping")


@contextlib.asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Running]:
    """Run a desk in the background of the block."""
    async with contextlib.AsyncExitStack() as stack:
        parts = await open_parts(settings, stack)
        joined = join(wire(parts) for wire in FEATURES)
        delivery = Delivery(parts.place, KINDS, joined.carriers)
        daily = [job for job in joined.jobs if job.is_daily]
        calendar = await stack.enter_async_context(keep_calendar(parts.place.world.now, daily))
        waiting = (calendar, *(job for job in joined.jobs if not job.is_daily))
        running: list[Callable[[], Awaitable[None]]] = [delivery.run]
        running += [task.run for task in joined.tasks]
        running += [partial(repeat, job) for job in waiting]
        async with _background(running), _opened(joined) as doors:
            yield Running(parts, doors)
            for door in doors:
                await door.stop()
            await delivery.finish(DRAIN_SECONDS)


@contextlib.asynccontextmanager
async def _opened(joined: Feature) -> AsyncIterator[tuple[Door, ...]]:
    """Open the doors last, so that what is told 250 meets a desk that works."""
    async with contextlib.AsyncExitStack() as stack:
        for door in joined.doors:
            await door.start()
            stack.push_async_callback(door.stop)
        yield joined.doors


@contextlib.asynccontextmanager
async def _background(tasks: Iterable[Callable[[], Awaitable[None]]]) -> AsyncIterator[None]:
    """Run the tasks beside the block; when one fails, the block is cancelled and the failure raised."""
    async with asyncio.TaskGroup() as together:
        started = [together.create_task(_awaited(task)) for task in tasks]
        try:
            yield
        finally:
            for task in started:
                task.cancel()


async def _awaited(task: Callable[[], Awaitable[None]]) -> None:
    await retry_storage(task)
