# SPDX-License-Identifier: AGPL-3.0-or-later
"""The outbox leaves in the order of its lanes, waits longer and longer, and never guesses."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from desk.context import Work
from desk.delivery.delivery import REFUSALS_BEFORE_PARKING, Delivery
from desk.kinds import KINDS
from desk.outbox import posts
from desk.outbox.outcomes import (
    Delivered,
    Impossible,
    Later,
    OutboxItem,
    Outcome,
    Refused,
    StopDelivery,
    Unclear,
)
from desk.outbox.posts import Say, finish, put, say_in
from storage.engine.troubles import StorageTrouble
from storage.models import Outbox, OutboxState, ReplyState
from tests.worlds.desk import Desk, delivery_of


class Carrier:
    """Notes what it is given and answers from a script, by payload; what is not scripted arrives."""

    def __init__(self, **script: list[Outcome | Exception]) -> None:
        self.script = script
        self.carried: list[str] = []

    async def __call__(self, parcel: OutboxItem) -> Outcome:
        self.carried.append(parcel.payload)
        answers = self.script.get(parcel.payload)
        answer = answers.pop(0) if answers else Delivered(f"$of-{parcel.payload}"[:255])
        if isinstance(answer, Exception):
            raise answer
        return answer


async def post(desk: Desk, payload: str, lane: str = "a", kind: str = "say") -> int:
    async with desk.units() as unit:
        row = await put(desk.work(unit), KINDS[kind], lane, payload)
        await unit.flush()
        return row.id


def delivery(desk: Desk, carrier: Callable) -> Delivery:
    return delivery_of(desk.place, {"say": carrier, "mail": carrier})


async def row(desk: Desk, row_id: int) -> Outbox:
    async with desk.units() as unit:
        return await unit.outbox.get(row_id)


async def test_a_lane_keeps_its_order_and_what_has_left_keeps_no_words(desk: Desk):
    carrier = Carrier()
    numbers = [await post(desk, f"p{number}") for number in range(5)]
    await delivery(desk, carrier).drain()
    assert carrier.carried == [f"p{number}" for number in range(5)]
    for number in numbers:
        found = await row(desk, number)
        assert found.state is OutboxState.SENT
        assert found.payload_sealed is None
        assert found.wrapped_key is None
        assert found.done_at == desk.clock.now
    assert (await row(desk, numbers[0])).event_id == "$of-p0"


async def test_what_waits_holds_up_its_lane_and_no_other(desk: Desk):
    carrier = Carrier(first=[Later("busy")])
    for payload, lane in (("first", "a"), ("second", "a"), ("other", "b")):
        await post(desk, payload, lane)
    await delivery(desk, carrier).drain()
    assert sorted(carrier.carried) == ["first", "other"]
    desk.clock.pass_by(seconds=1)
    await delivery(desk, carrier).drain()
    assert carrier.carried[2:] == ["first", "second"]


async def _pauses(desk: Desk, kind: str, tries: int) -> list[float]:
    """Return the pauses in seconds between tries of a row that never leaves."""
    carrier = Carrier(never=[Later("busy")] * tries)
    number = await post(desk, "never", kind=kind)
    found = []
    for _ in range(tries):
        await delivery(desk, carrier).drain()
        due = (await row(desk, number)).due_at
        found.append((due - desk.clock.now).total_seconds())
        desk.clock.now = due
    return found


async def test_pauses_grow_up_to_five_minutes_for_rooms(desk: Desk):
    assert await _pauses(desk, "say", 11) == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


async def test_pauses_grow_up_to_an_hour_for_mail(desk: Desk):
    assert await _pauses(desk, "mail", 8) == [60, 120, 240, 480, 960, 1920, 3600, 3600]


async def test_a_pause_that_was_asked_for_is_kept(desk: Desk):
    carrier = Carrier(p=[Later("429", dt.timedelta(seconds=77))])
    number = await post(desk, "p")
    await delivery(desk, carrier).drain()
    assert (await row(desk, number)).due_at == desk.clock.now + dt.timedelta(seconds=77)


@pytest.mark.parametrize(("kind", "longest"), [("say", 5 * 60), ("mail", 60 * 60)])
async def test_no_clock_that_is_set_back_makes_a_row_wait_longer_than_its_longest_pause(
    desk: Desk, kind: str, longest: int
):
    carrier = Carrier(tried=[Later("busy", dt.timedelta(days=9))] * 2)
    await post(desk, "tried", kind=kind)
    await delivery(desk, carrier).drain()
    day = 24 * 3600
    # Not later than a pause may last: only that it was never tried tells that it is due.
    desk.clock.pass_by(seconds=longest)
    await post(desk, "new", "b", kind=kind)
    desk.clock.pass_by(seconds=-longest)
    steps = ((longest - 1, "new"), (1, "tried"), (-3 * day, "tried"))
    for seconds, carried in steps:
        before = len(carrier.carried)
        desk.clock.pass_by(seconds=seconds)
        await delivery(desk, carrier).drain()
        assert carrier.carried[before:] == carried.split()


async def test_after_five_surprises_a_row_is_parked_and_operators_are_told_and_the_lane_goes_on(desk: Desk):
    carrier = Carrier(bad=[ValueError("secret words")] * 5)
    number = await post(desk, "bad")
    await post(desk, "next")
    for _ in range(5):
        # A process that is started anew remembers those before it.
        await delivery(desk, carrier).drain()
        desk.clock.pass_by(hours=1)
    assert carrier.carried[:6] == ["bad"] * 5 + ["next"]
    parked = await row(desk, number)
    assert parked.state is OutboxState.PARKED
    assert parked.error == "internal error (ValueError)"
    assert parked.payload_sealed is not None
    assert f"Parked: outbox row {number} (say)" in carrier.carried[6]
    assert "secret" not in carrier.carried[6]
    assert await desk.say("!parked") == f"{number}: say: internal error (ValueError)"
    assert await desk.say(f"!unpark {number}") == f"Row {number} is tried again."
    await delivery(desk, carrier).drain()
    assert carrier.carried[-1] == "bad"
    assert (await row(desk, number)).state is OutboxState.SENT


@pytest.mark.parametrize(
    ("outcome", "state", "told"),
    [
        (Delivered("$there"), OutboxState.SENT, "It has left, but what should follow was not done."),
        (Unclear("nobody knows"), OutboxState.DROPPED, "It is not tried again, but what should follow"),
        (Impossible("it cannot"), OutboxState.PARKED, "Parked: outbox row"),
    ],
)
async def test_what_follows_may_fail_and_the_row_is_handed_over_once_all_the_same(
    desk: Desk, outcome: Outcome, state: OutboxState, told: str
):
    async def fail(_work: Work, _row: Outbox) -> Any:
        raise KeyError("ours")

    number = await desk.ticket()
    kind = replace(posts.SAY, sent=fail, unclear=fail, failed=fail)
    carrier = Carrier(a=[outcome])
    async with desk.units() as unit:
        row = await put(desk.work(unit), kind, "lane", "a", ticket=number)
        await unit.flush()
        row_id = row.id
    kinds = {**KINDS, "say": kind}
    await Delivery(desk.place, kinds, dict.fromkeys(kinds.values(), carrier)).drain()
    assert carrier.carried.count("a") == 1
    async with desk.units() as unit:
        assert (await unit.outbox.get(row_id)).state is state
    assert any(told in words for words in carrier.carried)


async def test_a_row_that_is_refused_again_and_again_is_parked_whatever_restarts_lie_between(desk: Desk):
    carrier = Carrier(bad=[Refused("it is not let in")] * REFUSALS_BEFORE_PARKING)
    number = await post(desk, "bad")
    for _ in range(REFUSALS_BEFORE_PARKING):
        assert (await row(desk, number)).state is OutboxState.PENDING
        await delivery(desk, carrier).drain()
        desk.clock.pass_by(hours=1)
    parked = await row(desk, number)
    assert (parked.state, parked.error) == (OutboxState.PARKED, "it is not let in")
    await desk.say(f"!unpark {number}")
    assert (await row(desk, number)).refusals == 0


async def test_tries_that_are_no_surprise_and_a_database_in_trouble_park_nothing(desk: Desk):
    locked = StorageTrouble("locked")
    troubles: list[Outcome | Exception] = [Later("busy"), locked, locked] * 3
    carrier = Carrier(bad=[*troubles, ValueError("once")])
    number = await post(desk, "bad")
    carrying = delivery(desk, carrier)
    for _ in range(11):
        await carrying.drain()
        desk.clock.pass_by(hours=1)
    assert carrier.carried == ["bad"] * 11
    assert (await row(desk, number)).state is OutboxState.SENT


async def test_what_ended_with_its_work_is_not_begun_again_when_the_word_of_that_was_lost(desk: Desk):
    number = await post(desk, "work")
    worked: list[int] = []

    async def work(parcel: OutboxItem) -> Outcome:
        worked.append(parcel.id)
        async with desk.units() as unit:
            finish(desk.world, await unit.outbox.get(parcel.id), OutboxState.SENT)
        raise StorageTrouble("The connection broke at the commit.")

    carrying = delivery(desk, work)
    await carrying.drain()
    desk.clock.pass_by(hours=1)
    await carrying.drain()
    assert worked == [number]
    assert (await row(desk, number)).state is OutboxState.SENT


async def _mail(desk: Desk) -> None:
    await desk.ticket()
    await desk.say("!reply Hello", ticket=1)
    await desk.say("!send", ticket=1)


async def _told(desk: Desk) -> list[str]:
    return [each.payload for each in await desk.rows("say")]


async def test_a_mail_that_was_sending_at_the_start_is_unclear_and_not_sent_again(desk: Desk):
    await _mail(desk)
    async with desk.units() as unit:
        for each in await unit.outbox.in_state(OutboxState.PENDING):
            if each.kind == "mail":
                each.state = OutboxState.SENDING
    carrier = Carrier()
    await delivery(desk, carrier).settle_interrupted()
    assert carrier.carried == []
    [told] = await _told(desk)
    assert "It is UNCLEAR whether the answer has left" in told
    assert (await desk.messages(1))[-1].state is ReplyState.UNCLEAR
    async with desk.units() as unit:
        assert not await unit.outbox.in_state(OutboxState.SENDING)


async def test_a_mail_that_has_left_shows_in_thread_and_state(desk: Desk):
    await _mail(desk)
    await delivery_of(desk.place, {"mail": Carrier(), "preview": Carrier(), "say": Carrier()})._drain_lane(
        (await desk.rows("mail"))[0].lane
    )
    assert [row.kind for row in await desk.rows()] == ["preview", "preview.edit", "announce.edit"]
    assert (await desk.messages(1))[-1].state is ReplyState.SENT
    assert (await desk.look(1)).state == "answered"


async def test_an_impossible_mail_is_told_in_the_thread_and_can_be_tried_again(desk: Desk):
    await _mail(desk)
    [mail] = await desk.rows("mail")
    carrier = Carrier()
    carrier.script = {"": [Impossible("550 no such user")]}
    await delivery(desk, carrier)._drain_lane(mail.lane)
    assert "The answer was NOT sent: 550 no such user" in (await _told(desk))[0]
    assert (await desk.messages(1))[-1].state is ReplyState.FAILED
    await desk.say(f"!unpark {mail.id}")
    await delivery(desk, carrier)._drain_lane(mail.lane)
    assert (await desk.messages(1))[-1].state is ReplyState.SENT


async def test_a_mail_is_given_up_after_three_days(desk: Desk):
    await _mail(desk)
    [mail] = await desk.rows("mail")
    carrier = Carrier()
    carrier.script = {"": [Later("greylisted")] * 2}
    await delivery(desk, carrier)._drain_lane(mail.lane)
    desk.clock.pass_by(days=3, seconds=1)
    await delivery(desk, carrier)._drain_lane(mail.lane)
    assert "greylisted; given up after 3 days" in (await _told(desk))[0]
    assert (await desk.messages(1))[-1].state is ReplyState.FAILED


@contextlib.asynccontextmanager
async def running(delivery: Delivery) -> AsyncIterator[asyncio.Task]:
    task = asyncio.create_task(delivery.run(poll=5))
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, ExceptionGroup):
            await task


async def test_a_lane_that_hangs_does_not_stop_others(desk: Desk):
    arrived = {name: asyncio.Event() for name in ("hanging", "one", "two")}
    release = asyncio.Event()

    async def carry(parcel: OutboxItem) -> Outcome:
        arrived[parcel.payload].set()
        if parcel.payload == "hanging":
            await release.wait()
        return Delivered()

    number = await post(desk, "hanging", "a")
    await post(desk, "one", "b")
    async with running(delivery(desk, carry)):
        async with asyncio.timeout(20):
            await arrived["hanging"].wait()
            await arrived["one"].wait()
            await post(desk, "two", "c")
            await arrived["two"].wait()
        assert (await row(desk, number)).state is OutboxState.PENDING
        release.set()


async def test_a_row_added_while_its_lane_is_at_work_leaves_too(desk: Desk):
    carrier = Carrier()
    done = asyncio.Event()

    async def carry(parcel: OutboxItem) -> Outcome:
        if parcel.payload == "one":
            await post(desk, "two")
        if parcel.payload == "two":
            done.set()
        return await carrier(parcel)

    async with running(delivery(desk, carry)):
        await post(desk, "one")
        async with asyncio.timeout(20):
            await done.wait()
    assert carrier.carried == ["one", "two"]


async def test_when_delivering_cannot_go_on_the_run_ends(desk: Desk):
    await post(desk, "one")
    with pytest.raises(ExceptionGroup) as ended:
        async with asyncio.timeout(20):
            await delivery(desk, Carrier(one=[StopDelivery("the access token is gone")])).run()
    assert ended.value.exceptions[0].args == ("the access token is gone",)


async def test_an_operators_room_that_takes_nothing_is_not_told_of_itself(desk: Desk):
    async with desk.units() as unit:
        room = await unit.rooms.of_operators()
        assert room is not None
        await say_in(desk.work(unit), room, Say("a key is about to expire"))

    async def refuse(_parcel: OutboxItem) -> Outcome:
        return Impossible("the bot is not in the room")

    async with asyncio.timeout(20):
        await delivery_of(desk.place, {"say": refuse}).drain()
    async with desk.units() as unit:
        assert len(await unit.outbox.in_state(OutboxState.PARKED)) == 1


async def test_what_falls_due_while_lanes_are_looked_at_does_not_wait_for_the_next_look(desk: Desk):
    class SlowToLook(Delivery):
        async def _due_lanes(self, now: dt.datetime) -> list[str]:
            lanes = await super()._due_lanes(now)
            desk.clock.pass_by(seconds=2)
            return lanes

    carrier = Carrier(p=[Later("not yet", dt.timedelta(seconds=1))])
    await post(desk, "p")
    running = asyncio.create_task(
        SlowToLook(desk.place, KINDS, dict.fromkeys(KINDS.values(), carrier)).run(poll=3600)
    )
    try:
        async with asyncio.timeout(20):
            while len(carrier.carried) < 2:  # noqa: ASYNC110  (a carrier has no event for it)
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
