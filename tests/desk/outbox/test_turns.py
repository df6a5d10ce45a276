# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where the homeserver limits the bot: people are answered first, and an edit that waits is enough."""

import asyncio
import contextlib
from itertools import pairwise

from desk.delivery.delivery import LIMITED
from desk.outbox.outcomes import Delivered, Limited, OutboxItem, Outcome
from desk.outbox.posts import Say, announce, is_aside, lane_of, say_from_json, say_in, show_state
from desk.outbox.ranks import Rank, Turns
from storage.models import OutboxState
from tests.worlds.desk import Desk, delivery_of

KINDS = ("announce", "announce.edit", "file", "ping", "preview", "preview.edit", "react", "say")


class Homeserver:
    """Takes a few rows, and from then on each only after it has refused once; `last` ends the run."""

    def __init__(self, burst: int, last: str) -> None:
        self.burst = burst
        self.taken: list[str] = []
        self.refused = 0
        self.done = asyncio.Event()
        self._last = last
        self._ready = False

    async def __call__(self, parcel: OutboxItem) -> Outcome:
        await asyncio.sleep(0)
        if len(self.taken) >= self.burst and not self._ready:
            self._ready = True
            self.refused += 1
            return Limited(0.001)
        self._ready = False
        self.taken.append(say_from_json(parcel.payload).text if parcel.kind == "say" else parcel.kind)
        if self._last in self.taken:
            self.done.set()
        return Delivered(f"$of{parcel.id}")


async def deliver_until(desk: Desk, homeserver: Homeserver) -> None:
    """Run the delivery, which knows of the limit, until the homeserver has the last row."""
    delivery = delivery_of(desk.place, dict.fromkeys(KINDS, homeserver))
    delivery._turns.limited(0.5)
    task = asyncio.create_task(delivery.run(poll=5))
    try:
        async with asyncio.timeout(60):
            await homeserver.done.wait()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def say(desk: Desk, text: str, rank: Rank, queue: str = "en") -> None:
    async with desk.units() as unit:
        room = await unit.rooms.of_queue(queue)
        await say_in(desk.work(unit), room, Say(text), rank=rank)


async def test_answers_go_first_then_edits_in_all_rooms(desk: Desk):
    for number in range(40):
        await say(desk, f"usual {number}", Rank.USUAL, "en" if number % 2 else "fr")
    await say(desk, "edit", Rank.EDIT, "fr")
    await say(desk, "first answer", Rank.ANSWER)
    await say(desk, "second answer", Rank.ANSWER)
    homeserver = Homeserver(2, "usual 39")
    await deliver_until(desk, homeserver)
    assert homeserver.taken[:3] == ["first answer", "second answer", "edit"]
    for queue in (0, 1):
        usual = [int(text.split()[1]) for text in homeserver.taken if text.startswith("usual")]
        of_room = [number for number in usual if number % 2 == queue]
        assert all(before < after for before, after in pairwise(of_room))
    async with desk.units() as unit:
        assert await unit.facts.get(LIMITED) == desk.clock.now.isoformat()


async def test_who_waits_goes_by_rank_once_the_limit_ends():
    turns = Turns()
    went: list[Rank] = []

    async def go(rank: Rank) -> None:
        async with turns.turn(rank):
            went.append(rank)

    turns.limited(0.05)
    async with asyncio.TaskGroup() as together:
        for rank in (Rank.USUAL, Rank.EDIT, Rank.ANSWER, Rank.USUAL):
            together.create_task(go(rank))
        await asyncio.sleep(0)
        assert went == []
    assert went == [Rank.ANSWER, Rank.EDIT, Rank.USUAL, Rank.USUAL]


async def test_nobody_waits_at_a_stop():
    turns = Turns()
    turns.limited(60)
    turns.close()
    async with asyncio.timeout(5), turns.turn(Rank.USUAL):
        pass


async def test_an_edit_that_waits_is_replaced_by_a_newer_one(desk: Desk):
    number = await desk.ticket()
    for line in ("!claim", "!tag wifi", "!release", "!claim"):
        await desk.say(line, ticket=number)
    assert len(await desk.rows("announce.edit")) == 1
    await desk.say("!reply Hello", ticket=number)
    for line in ("!cancel", "!reply Again", "!send"):
        await desk.say(line, ticket=number)
    drafts = [row.message_id for row in await desk.rows("preview.edit")]
    assert len(drafts) == len(set(drafts))


async def test_an_edit_that_was_replaced_while_it_left_is_known_as_sent_all_the_same(desk: Desk):
    number = await desk.ticket()
    await desk.say("!claim", ticket=number)
    [first] = await desk.rows("announce.edit")
    carried: list[int] = []

    async def carry(parcel: OutboxItem) -> Outcome:
        carried.append(parcel.id)
        if parcel.id == first.id:
            await desk.say("!tag wifi", ticket=number)
        return Delivered(f"$of{parcel.id}")

    await delivery_of(desk.place, {"announce.edit": carry}).drain()
    [*_, second] = carried
    assert carried == [first.id, second]
    async with desk.units() as unit:
        room = await unit.rooms.of_queue("en")
        assert sorted(await unit.outbox.sent_to(room.id)) == sorted([f"$of{first.id}", f"$of{second}"])


async def test_an_answer_in_a_thread_takes_its_announcement_along(desk: Desk):
    tickets = [await desk.ticket(f"Letter {number}.") for number in range(5)]
    async with desk.units() as unit:
        for number in tickets:
            ticket = await unit.tickets.get(number)
            ticket.event_id = None
            await announce(desk.work(unit), ticket)
    await desk.say(f"!reply #{tickets[3]} Hello")
    homeserver = Homeserver(0, "preview")
    await deliver_until(desk, homeserver)
    assert homeserver.taken[:2] == ["announce", "preview"]
    async with desk.units() as unit:
        sent = [row for row in await unit.outbox.in_state(OutboxState.SENT) if row.kind == "announce"]
    assert sent[0].ticket_id == tickets[3]


async def test_an_edit_of_an_older_announcement_is_not_replaced(desk: Desk):
    number = await desk.ticket()
    async with desk.units() as unit:
        ticket = await unit.tickets.get(number)
        await show_state(desk.work(unit), ticket)
        await announce(desk.work(unit), ticket)
        await show_state(desk.work(unit), ticket)
        await show_state(desk.work(unit), ticket)
        room = await unit.rooms.of_queue("en")
        waiting = await unit.outbox.pending("announce.edit", ticket=number)
        assert [row.lane for row in waiting] == [lane_of(room, Rank.EDIT)] * 2
        assert not any(map(is_aside, waiting))


async def test_a_button_that_nobody_has_seen_goes_when_its_answer_is_over(desk: Desk):
    number = await desk.ticket()
    await desk.say("!reply Hello", ticket=number)
    carrier = Homeserver(99, "preview")
    await delivery_of(desk.place, {"preview": carrier})._drain_lane((await desk.rows("preview"))[0].lane)
    assert [row.kind for row in await desk.rows("react")] == ["react"]
    await desk.say("!cancel", ticket=number)
    assert await desk.rows("react") == []
