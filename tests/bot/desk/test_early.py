# SPDX-License-Identifier: AGPL-3.0-or-later
"""What comes before the id of its announcement is known waits for it, and holds up nothing else."""

import datetime as dt
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest

from bot.desk.early import EARLY_FOR
from bot.desk.journal import EventJournal
from bot.desk.worker import Worker
from bot.events.events import Batch
from commands.event import EventKind
from desk.outbox.posts import announce, aside_of, finish
from storage.models import EventState, OutboxState
from tests.worlds.desk import BEN, Desk

ROOM, OTHER_ROOM = "!en:helproom.test", "!fr:helproom.test"


@dataclass
class Talk:
    """The room of a queue, in which ticket 1 is being announced: nobody knows yet that this is $root1."""

    desk: Desk
    _ids: count = field(default_factory=count)

    async def begin(self) -> None:
        """Let the ticket be there, and its announcement on its way."""
        await self.desk.ticket()
        async with self.desk.units() as unit:
            ticket = await unit.tickets.get(1)
            assert ticket is not None
            ticket.event_id = None
            await announce(self.desk.work(unit), ticket)

    async def hears(self, body: str, *, thread: str | None = None, room: str = ROOM, **facts: Any) -> str:
        """Journal something that somebody says; return the event."""
        usual = {"msgtype": "m.text", "room_id": room, "decrypted": True, "verified": True}
        event_id = facts.pop("event_id", f"${next(self._ids)}")
        event = self.desk.heard(body, **{**usual, "event_id": event_id, "thread_root": thread, **facts})
        await EventJournal(self.desk.place, own_id="@bot:helproom.test").keep(Batch("s", heard=(event,)))
        return event_id

    async def removes(self, event_id: str) -> str:
        """Journal that somebody removes what was said."""
        facts: dict[str, Any] = {
            "kind": EventKind.REDACTION,
            "relates_to": event_id,
            "msgtype": "",
            "decrypted": False,
        }
        return await self.hears("", **facts)

    async def announced(self) -> None:
        """Let the homeserver's answer come, with the id of the announcement."""
        async with self.desk.units() as unit:
            ticket = await unit.tickets.get(1)
            (row,) = await unit.outbox.announcements(1)
            assert ticket is not None
            finish(self.desk.world, row, OutboxState.SENT)
            row.event_id = ticket.event_id = "$root1"

    async def acts(self) -> list[str]:
        """Let the bot act as long as it can; return the events on which it did, in order."""
        waiting = await self.waiting()
        acted = []
        while await Worker(self.desk.place).step():
            left = await self.waiting()
            acted += [event_id for event_id in waiting if event_id not in left]
            waiting = left
        return acted

    async def waiting(self) -> list[str]:
        """Return the events that nobody has acted on."""
        found, after = [], 0
        async with self.desk.units() as unit:
            while (row := await unit.journal.next_new(after=after)) is not None:
                found.append(row.event_id)
                after = row.id
        return found


@pytest.fixture
async def talk(desk: Desk) -> Talk:
    """A room in which an announcement is on its way."""
    talk = Talk(desk)
    await talk.begin()
    return talk


async def test_what_waits_for_its_announcement_holds_up_nothing_elsewhere(talk: Talk) -> None:
    early = await talk.hears("!claim", thread="$root1")
    others = [
        await talk.hears("!list all"),
        await talk.hears("!help", room=OTHER_ROOM, thread="$unknown"),
        await talk.hears("!help", sender=BEN),
    ]
    assert await talk.acts() == others
    await talk.announced()
    assert await talk.acts() == [early]
    assert (await talk.desk.look(1)).owner is not None


@pytest.mark.parametrize(
    "later", ["in the thread", "answer", "answer to talk", "edit", "removal", "removal of talk"]
)
async def test_nothing_overtakes_what_waits_in_its_thread(talk: Talk, later: str) -> None:
    said = await talk.hears("I shall take it.", thread="$root1")
    early = await talk.hears("!claim", thread="$root1")
    talk.desk.clock.pass_by(seconds=30)
    if later.startswith("removal"):
        follows = await talk.removes(early if later == "removal" else said)
    else:
        facts: dict[str, dict[str, Any]] = {
            "in the thread": {"thread": "$root1"},
            "answer": {"relates_to": early},
            "answer to talk": {"relates_to": said},
            "edit": {"edits": early},
        }
        follows = await talk.hears("!close", **facts[later])
    other = await talk.hears("!list all")
    assert await talk.acts() == [other]
    await talk.announced()
    assert await talk.acts() == [early, follows]


async def test_what_removes_something_else_waits_for_no_announcement(talk: Talk) -> None:
    said = await talk.hears("!help")
    await talk.acts()
    early = await talk.hears("!claim", thread="$root1")
    removal = await talk.removes(said)
    assert await talk.acts() == [removal]
    assert await talk.waiting() == [early]


@pytest.mark.parametrize("later", ["$root1", "$elsewhere"])
async def test_an_event_waits_no_longer_than_an_announcement_may_take(talk: Talk, later: str) -> None:
    early = await talk.hears("!claim", thread="$root1")
    talk.desk.clock.pass_by(seconds=60)
    newer = await talk.hears("!claim", thread=later)
    assert await talk.acts() == []
    talk.desk.clock.pass_by(seconds=EARLY_FOR / dt.timedelta(seconds=1) - 59)
    assert await talk.acts() == [early]
    talk.desk.clock.pass_by(seconds=60)
    assert await talk.acts() == [newer]


async def test_a_clock_that_was_set_back_meanwhile_does_not_turn_the_order_round(talk: Talk) -> None:
    early = await talk.hears("!claim", thread="$root1")
    talk.desk.clock.pass_by(seconds=-600)
    follows = await talk.hears("!close", thread="$root1")
    talk.desk.clock.pass_by(seconds=600)
    assert await talk.acts() == []
    await talk.announced()
    assert await talk.acts() == [early, follows]


@pytest.mark.parametrize("aside", [True, False])
async def test_an_announcement_that_was_refused_is_waited_for_no_more(talk: Talk, *, aside: bool) -> None:
    async with talk.desk.units() as unit:
        (row,) = await unit.outbox.announcements(1)
        row.lane = aside_of(row) if aside else f"{row.lane}/answers"
    early = await talk.hears("!claim", thread="$root1")
    assert await talk.acts() == ([early] if aside else [])


async def test_an_event_that_cannot_be_read_holds_up_nothing(talk: Talk) -> None:
    early = await talk.hears("!claim", thread="$root1")
    broken, after = await talk.hears("!help"), await talk.hears("!help")
    async with talk.desk.units() as unit:
        row = await unit.journal.by_event(broken)
        assert row is not None
        row.content = "no JSON"
    assert await talk.acts() == [broken, after]
    assert await talk.waiting() == [early]
    async with talk.desk.units() as unit:
        row = await unit.journal.by_event(broken)
        assert row is not None
        assert row.state is EventState.FAILED
