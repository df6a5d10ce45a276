# SPDX-License-Identifier: AGPL-3.0-or-later
"""When jobs run: what waits, by the monotonic clock; what stands in a calendar, by the wall clock."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger

from storage.engine.troubles import StorageTrouble

log = structlog.get_logger()

LOOK_ANYHOW = 20.0
"""Seconds after which a job that sleeps until something is due looks whatever it expects: the clock may have
been set forwards, or the machine suspended."""
_CALENDAR_SECONDS = 600.0
_DAY = dt.timedelta(days=1)
_STORAGE_PAUSE = 5.0
_SHORTEST = 0.05


class Role(StrEnum):
    """Which process runs something, where a desk has several; today one runs all."""

    BOT = "bot"
    """It alone speaks Matrix: the keys of rooms are in one place only."""
    WORKER = "worker"


@dataclass(frozen=True)
class Job:
    """What is done again and again; a jump of the wall clock neither hurries nor delays it."""

    name: str
    run: Callable[[], Awaitable[dt.timedelta | None]]
    """Does what is due, and returns how long it may sleep now; None: until the bell or the longest sleep."""
    longest: float = 0.0
    """Seconds that it sleeps at most."""
    bell: asyncio.Event | None = None
    """Wakes it earlier."""
    is_daily: bool = False
    """It runs at the start and when a day (UTC) has ended, and sleeps until then."""
    role: Role = Role.WORKER


async def repeat(job: Job) -> None:
    """Run a job for ever."""
    while True:
        if job.bell is not None:
            job.bell.clear()
        pause = await _attempt(job)
        # Not wait_for: in Python 3.11 it swallows a cancellation that comes with the bell.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await (job.bell or asyncio.Event()).wait()


async def _attempt(job: Job) -> float:
    """Run a job once; return for how many seconds to sleep."""
    try:
        asked = await job.run()
    except StorageTrouble as trouble:
        log.warning("job.storage", job=job.name, trouble=str(trouble))
        return min(_STORAGE_PAUSE, job.longest)
    except Exception:
        log.exception("job.surprise", job=job.name)
        return job.longest
    return job.longest if asked is None else min(job.longest, max(_SHORTEST, asked.total_seconds()))


@contextlib.asynccontextmanager
async def keep_calendar(now: Callable[[], dt.datetime], daily: Sequence[Job]) -> AsyncIterator[Job]:
    """Run jobs at the end of each day (UTC), for the time of the block; give the job that looks at the date.

    Of what was missed nothing is replayed: each job runs once, at the start and when a day has ended.
    `now` is the clock of this machine, as APScheduler goes by no other.
    """
    scheduler = AsyncIOScheduler(
        timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    )
    for job in daily:
        scheduler.add_job(_attempt, _midnight(), [job], next_run_time=now())

    async def look() -> None:
        # The scheduler sleeps by a clock that stands still while the machine is suspended, and where the
        # wall clock was set back, its next time lies days ahead.
        for entry in scheduler.get_jobs():
            if entry.next_run_time - now() > _DAY:
                entry.reschedule(_midnight())
        scheduler.wakeup()

    scheduler.start()
    try:
        yield Job("look at the calendar", look, _CALENDAR_SECONDS)
    finally:
        scheduler.shutdown(wait=False)


def _midnight() -> CronTrigger:
    """A minute after it, so that clocks that differ a little agree on the day."""
    return CronTrigger(hour=0, minute=1, timezone="UTC")
