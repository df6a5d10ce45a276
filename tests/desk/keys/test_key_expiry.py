# SPDX-License-Identifier: AGPL-3.0-or-later
"""Operators hear in time, and once, that a queue's key expires."""

import datetime as dt

from desk.keys.expiry import warn_of_expiry
from desk.outbox.posts import say_from_json
from tests.worlds.desk import CONFIG, Desk

EN, FR = (queue.fingerprint for queue in CONFIG.queues)


async def told(desk: Desk, ends: dict[str, dt.datetime | None]) -> list[str]:
    """Look once more, and return what has been said in all."""
    async with desk.units() as unit:
        await warn_of_expiry(desk.work(unit), ends)
    async with desk.units() as unit:
        operators = await unit.rooms.of_operators()
    rows = await desk.rows("say")
    assert {row.room for row in rows} <= {operators.id}
    return [say_from_json(row.payload).text for row in rows]


async def test_each_step_is_told_once(desk: Desk):
    start = desk.clock.now
    end = start + dt.timedelta(days=100)
    counts = {}
    for day in range(105):
        desk.clock.now = start + dt.timedelta(days=day)
        # Twice, as after a restart: only the database remembers.
        await told(desk, {EN: end, FR: None})
        counts[day] = len(await told(desk, {EN: end, FR: None}))
        if day in {39, 40, 70, 93, 100}:
            assert counts[day] == {39: 0, 40: 1, 70: 2, 93: 3, 100: 4}[day]
    texts = await told(desk, {EN: end})
    assert len(texts) == 4
    assert texts[0].startswith("The OpenPGP key of the queue “en”, AAAA AAAA")
    assert "expires on 2026-06-10" in texts[0]
    assert "`helproom keys expire en 2y`" in texts[0]
    assert "has EXPIRED on 2026-06-10" in texts[3]


async def test_after_a_long_sleep_only_the_nearest_step_is_told(desk: Desk):
    end = desk.clock.now + dt.timedelta(days=5)
    assert len(await told(desk, {EN: end, FR: end + dt.timedelta(days=90)})) == 1
    assert len(await told(desk, {EN: end, FR: end + dt.timedelta(days=90)})) == 1


async def test_an_extended_key_is_warned_of_anew(desk: Desk):
    end = desk.clock.now + dt.timedelta(days=5)
    await told(desk, {EN: end})
    end += dt.timedelta(days=365)
    assert len(await told(desk, {EN: end})) == 1
    desk.clock.now = end - dt.timedelta(days=50)
    assert len(await told(desk, {EN: end})) == 2


async def test_a_key_that_is_not_there_is_no_matter_of_time(desk: Desk):
    assert await told(desk, {}) == []
