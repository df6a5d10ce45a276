# SPDX-License-Identifier: AGPL-3.0-or-later
"""Jobs sleep by the monotonic clock: one that is set forwards or back neither freezes nor silences them."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import pytest
from apscheduler.schedulers import base

from helproom.features.replies import Holds
from helproom.features.rooms import end_rooms
from helproom.jobs.schedule import Job, keep_calendar, repeat
from storage.engine.troubles import StorageTrouble
from storage.models import Event, EventState, ReplyState, RoomState
from tests.commands.families.replies.test_replies import _show_previews
from tests.worlds.desk import ANA, Clock, Desk


@contextlib.asynccontextmanager
async def running(job: Job) -> AsyncIterator[None]:
    task = asyncio.create_task(repeat(job))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not await condition():  # noqa: ASYNC110 - nothing rings
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("days", [30, -30])
async def test_a_job_neither_stands_still_nor_runs_for_what_lies_behind_when_the_clock_jumps(days: int):
    clock = Clock()
    due = clock.now + dt.timedelta(seconds=0.02)
    runs: list[int] = []

    async def run() -> dt.timedelta:
        runs.append(1)
        if len(runs) == 1:
            clock.pass_by(days=days)
            return dt.timedelta(seconds=0.02)
        return due - clock.now

    async def ran() -> bool:
        return len(runs) >= 3

    async with running(Job("tick", run, 0.1)):
        await until(ran)


@pytest.mark.parametrize("trouble", [StorageTrouble("locked"), ValueError("ours")])
async def test_a_job_that_fails_is_tried_again(trouble: Exception):
    runs: list[int] = []

    async def run() -> None:
        runs.append(1)
        if len(runs) == 1:
            raise trouble

    async def ran() -> bool:
        return len(runs) == 2

    async with running(Job("fails once", run, 0.02)):
        await until(ran)


async def _held(desk: Desk) -> None:
    number = await desk.ticket()
    await desk.say("!reply Hello", ticket=number)
    await _show_previews(desk)


async def _state(desk: Desk) -> ReplyState | None:
    return (await desk.messages(1))[-1].state


async def test_a_job_sleeps_until_the_bell_and_then_until_the_next_hold_ends(desk: Desk):
    looks: list[dt.timedelta | None] = []
    holds = Holds(desk.place)

    async def look() -> dt.timedelta | None:
        looks.append(await holds.end_due())
        return looks[-1]

    async def looked() -> bool:
        return len(looks) >= 1

    async def rung() -> bool:
        return desk.config.replies.hold in looks

    async with running(Job("end holds", look, 3600, desk.units.wake_ups.holds)):
        await until(looked)
        assert looks == [None]
        await _held(desk)
        await until(rung)
        desk.clock.now += desk.config.replies.hold
        desk.units.wake_ups.holds.set()

        async def left() -> bool:
            return await _state(desk) is ReplyState.LEAVING

        await until(left)
    assert len(looks) <= 4


async def test_a_hold_ends_only_when_all_that_was_said_before_was_acted_on(desk: Desk):
    await _held(desk)
    desk.clock.now += desk.config.replies.hold
    caught_up: list[bool] = []
    holds = Holds(desk.place, has_caught_up=lambda: bool(caught_up))
    await holds.end_due()
    assert await _state(desk) is ReplyState.HELD
    caught_up.append(True)
    async with desk.units() as unit:
        said = Event(
            event_id="$said", room_id="!en:helproom.test", state=EventState.NEW, heard_at=desk.clock.now
        )
        await unit.journal.add(said, "{}", sender=ANA)
    await holds.end_due()
    assert await _state(desk) is ReplyState.HELD
    async with desk.units() as unit:
        (await unit.journal.by_event("$said")).finish(EventState.DONE)
    await holds.end_due()
    assert await _state(desk) is ReplyState.LEAVING


async def test_a_hold_that_the_clock_made_longer_begins_anew(desk: Desk):
    await _held(desk)
    desk.clock.pass_by(days=-3)
    holds = Holds(desk.place)
    assert await holds.end_due() == desk.config.replies.hold
    assert await _state(desk) is ReplyState.HELD
    desk.clock.now += desk.config.replies.hold
    await holds.end_due()
    assert await _state(desk) is ReplyState.LEAVING


async def test_a_room_that_the_clock_would_keep_open_ends_when_the_longest_may(desk: Desk):
    number = await desk.ticket()
    await desk.say("!room open 1h", ticket=number)
    async with desk.units() as unit:
        room = await unit.rooms.of_ticket(number)
        room.room_id, room.state = "!disposable:helproom.test", RoomState.OPEN
    desk.clock.pass_by(days=-30)
    assert await end_rooms(desk.place) == desk.config.rooms.longest
    desk.clock.now += desk.config.rooms.longest
    await end_rooms(desk.place)
    assert await desk.rows("room.close")


class _Wall:
    """What APScheduler takes for the time of day."""

    ahead = dt.timedelta()

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:
        return dt.datetime.now(tz) + cls.ahead


async def test_a_day_that_ended_in_a_jump_is_checked_once_and_the_next_one_still_is(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(base, "datetime", _Wall)
    days: list[dt.date] = []

    async def check() -> None:
        days.append(_Wall.now(dt.UTC).date())

    async def looks(look: Job, *, days_ahead: int) -> list[dt.date]:
        monkeypatch.setattr(_Wall, "ahead", dt.timedelta(days=days_ahead))
        await look.run()
        await asyncio.sleep(0.05)
        return days

    today = _Wall.now(dt.UTC).date()
    async with keep_calendar(lambda: _Wall.now(dt.UTC), [Job("day", check, 0.0)]) as look:
        seen = [today]
        assert await looks(look, days_ahead=0) == seen
        seen.append(today + dt.timedelta(days=400))
        assert await looks(look, days_ahead=400) == seen
        assert await looks(look, days_ahead=-30) == seen
        seen.append(today - dt.timedelta(days=28))
        assert await looks(look, days_ahead=-28) == seen
