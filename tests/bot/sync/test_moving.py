# SPDX-License-Identifier: AGPL-3.0-or-later
"""A ticket that is moved to another room: its old announcement says so, and its old thread is no trap."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot.carriers.senders import RoomSenders
from bot.desk.journal import EventJournal
from bot.desk.worker import Worker
from bot.events.events import Batch
from bot.identity.session import BotAccount
from bot.sending.sender import Sender
from commands.event import EventKind, RoomEvent
from desk.delivery.delivery import Delivery
from desk.outbox.posts import DONE_KEY, announce, say_from_json
from storage.models import OutboxState
from tests.bot.people import Memory, running
from tests.faults.fakehs import FakeHomeserver, Fault
from tests.worlds.desk import ANA, Desk, delivery_of, desk_at

BOT = "@bot:fake.test"
EN, FR = "!en:helproom.test", "!fr:helproom.test"
LINK_FR, VIA = f"https://matrix.to/#/{FR}", "?via=helproom.test"


@dataclass(frozen=True)
class Sent:
    """What went to a room."""

    event_id: str
    room: str
    body: str
    edits: str | None
    thread: str | None


@dataclass
class Listening:
    """The bot's sender, of which everything that leaves is written down."""

    sender: Sender
    sent: list[Sent] = field(default_factory=list)

    async def send_event(self, room_id: str, content: dict[str, Any], txn_id: str, **how: Any) -> str:
        event_id = await self.sender.send_event(room_id, content, txn_id, **how)
        related = content.get("m.relates_to", {})
        edits = related.get("event_id") if related.get("rel_type") == "m.replace" else None
        thread = related.get("event_id") if related.get("rel_type") == "m.thread" else None
        body = content.get("m.new_content", content)["body"]
        self.sent.append(Sent(event_id, room_id, body, edits, thread))
        return event_id

    async def react(self, *what: str) -> str:
        return await self.sender.react(*what)


@dataclass(frozen=True)
class Scene:
    """A desk with two rooms on a homeserver."""

    server: FakeHomeserver
    desk: Desk
    listening: Listening
    delivery: Delivery

    async def open(self) -> int:
        """Open a ticket whose announcement waits."""
        number = await self.desk.ticket()
        async with self.desk.units() as unit:
            ticket = await unit.tickets.get(number)
            assert ticket is not None
            ticket.event_id = None
            await announce(self.desk.work(unit), ticket)
        return number

    async def announced(self) -> tuple[int, Sent]:
        """Open a ticket and let it be announced."""
        number = await self.open()
        await self.delivery.drain()
        return number, self.of(EN)[-1]

    def of(self, room: str) -> list[Sent]:
        """What went to a room, in order."""
        return [each for each in self.listening.sent if each.room == room]

    def shown(self, event_id: str) -> str:
        """A message as its last edit left it."""
        return [each.body for each in self.listening.sent if event_id in (each.event_id, each.edits)][-1]

    async def hear(self, body: str, root: str, *, kind: EventKind = EventKind.MESSAGE) -> str:
        """Have Ana say something in the thread below this event, or react to it; return the answer.

        What is said stands in the same thread.
        """
        moment = f"$said{self.desk.world.token()}"
        heard = RoomEvent(
            moment,
            EN,
            ANA,
            kind,
            sent_at=self.desk.clock.now,
            body=body,
            msgtype="m.text",
            key=body,
            thread_root=root if kind is EventKind.MESSAGE else None,
            relates_to=None if kind is EventKind.MESSAGE else root,
            decrypted=True,
            verified=True,
        )
        await EventJournal(self.desk.place, own_id=BOT).keep(Batch("s1", heard=(heard,)))
        assert await Worker(self.desk.place).step()
        async with self.desk.units() as unit:
            rows = await unit.outbox.in_state(OutboxState.PENDING)
            if any(row.kind == "react" and moment in (row.payload or "") for row in rows):
                return DONE_KEY
            says = [row for row in rows if row.kind == "say"]
            if not says:
                return ""
            last = say_from_json(says[-1].payload or "")
        assert last.thread == root
        return last.text


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with (
        FakeHomeserver() as server,
        desk_at(f"sqlite+aiosqlite:///{tmp_path / 'desk.db'}") as desk,
        running(Memory(BotAccount(server.url, "bot", tmp_path / "session"))) as bot,
    ):
        for room in (EN, FR, "!ops:helproom.test"):
            await server.make_room(room, BOT, ANA)
        await bot.syncer.step()
        listening = Listening(bot.sender)
        senders = RoomSenders(desk.place, listening)  # type: ignore[arg-type]  # it listens
        yield Scene(server, desk, listening, delivery_of(desk.place, senders.table()))


async def test_the_old_announcement_says_where_the_ticket_goes_on(scene: Scene) -> None:
    number, old = await scene.announced()
    await scene.desk.say(f"!claim {number}")
    await scene.desk.say(f"!lang {number} fr")
    await scene.delivery.drain()
    assert scene.shown(old.event_id).startswith(f"↪ #{number}\ngoes on in the room of “fr”: {LINK_FR}")
    assert any(each.body.endswith(f"goes on in the room of “fr”: {LINK_FR}{VIA}") for each in scene.of(EN))
    (new,) = [each for each in scene.of(FR) if each.edits is None]
    assert new.body.startswith(f"🟡 #{number} ")
    assert (await scene.desk.look(number)).event_id == new.event_id
    # What was told while it waited, and the pointer, stay below the old announcement.
    assert {each.edits or each.thread for each in scene.of(EN)[1:]} == {old.event_id}


async def test_later_changes_show_in_the_new_announcement_only(scene: Scene) -> None:
    number, old = await scene.announced()
    await scene.desk.say(f"!lang {number} fr")
    await scene.desk.say(f"!tag {number} wifi")
    await scene.delivery.drain()
    count = len(scene.of(EN))
    await scene.desk.say(f"!close #{number}", where="fr")
    await scene.delivery.drain()
    assert len(scene.of(EN)) == count
    new = scene.of(FR)[0]
    assert scene.shown(new.event_id).startswith(f"⚫ #{number} wifi\nclosed")
    assert "wifi" not in scene.shown(old.event_id)


async def test_a_ticket_moved_before_it_was_announced_belongs_to_the_new_room(scene: Scene) -> None:
    number = await scene.open()
    scene.server.script(Fault.ERROR, "PUT", f"/rooms/{EN}/send/", times=3)
    await scene.delivery.drain()
    await scene.desk.say(f"!lang {number} fr")
    await scene.delivery.drain()
    new = scene.of(FR)[0]
    assert not scene.of(EN)
    for _ in range(10):
        scene.desk.clock.pass_by(minutes=5)
        await scene.delivery.drain()
    late = scene.of(EN)[0]
    assert late.body == f"↪ #{number}\ngoes on in the room of “fr”: {LINK_FR}/{new.event_id}{VIA}"
    assert {each.edits or each.thread for each in scene.of(EN)[1:]} == {late.event_id}
    assert (await scene.desk.look(number)).event_id == new.event_id


@pytest.mark.parametrize("between", [True, False])
async def test_a_ticket_moved_there_and_back_goes_on_below_its_third_announcement(
    scene: Scene, *, between: bool
) -> None:
    number, first = await scene.announced()
    await scene.desk.say(f"!lang {number} fr")
    if between:
        await scene.delivery.drain()
    await scene.desk.say(f"!lang {number} en")
    await scene.desk.say(f"!claim {number}")
    await scene.delivery.drain()
    second = scene.of(FR)[0]
    third = [each for each in scene.of(EN) if each.edits is None and each.thread is None][-1]
    assert third.event_id != first.event_id
    assert (await scene.desk.look(number)).event_id == third.event_id
    for ended in (first, second):
        assert scene.shown(ended.event_id).startswith(f"↪ #{number}\ngoes on in the room of “en”: https")
    assert scene.shown(third.event_id).startswith(f"🟡 #{number} ")


@pytest.mark.parametrize("line", ["!show", "!reply 2 questions first", "!tag 2", "!link #2", "!room close"])
async def test_in_its_old_thread_commands_say_where_the_ticket_goes_on(scene: Scene, line: str) -> None:
    number, old = await scene.announced()
    other = await scene.desk.ticket("Of somebody else.")
    await scene.desk.say(f"!lang {number} fr")
    await scene.delivery.drain()
    answer = await scene.hear(line, old.event_id)
    assert answer.startswith(f"This thread has ended: ticket {number} goes on in the room of “fr”")
    assert answer.endswith(f" {LINK_FR}/{scene.of(FR)[0].event_id}{VIA}")
    assert not await scene.desk.rows("preview")
    assert [tag.name for tag in (await scene.desk.look(other)).tags] == []


async def test_with_its_number_they_work_in_its_old_thread_too(scene: Scene) -> None:
    number, old = await scene.announced()
    await scene.desk.say(f"!lang {number} fr")
    await scene.delivery.drain()
    assert await scene.hear(f"!claim #{number}", old.event_id) == DONE_KEY
    assert await scene.hear("!help", old.event_id) != ""
    assert await scene.hear(f"!lang #{number} en", old.event_id) == (
        f"Ticket {number} is in “en” and goes on in the room of “en”. https://matrix.to/#/{EN}{VIA}"
    )


async def test_a_reaction_to_the_old_announcement_claims_nothing_and_says_why(scene: Scene) -> None:
    number, old = await scene.announced()
    await scene.desk.say(f"!lang {number} fr")
    await scene.delivery.drain()
    answer = await scene.hear("👀", old.event_id, kind=EventKind.REACTION)
    assert answer.startswith(f"This thread has ended: ticket {number} goes on")
    assert (await scene.desk.look(number)).owner is None


async def test_the_preview_in_the_old_thread_can_still_be_taken_back(scene: Scene) -> None:
    number, old = await scene.announced()
    await scene.desk.user_has_key()
    await scene.desk.say(f"!reply #{number} Hello")
    await scene.delivery.drain()
    (preview,) = [each for each in scene.of(EN) if "Hello" in each.body and each.edits is None]
    await scene.desk.say(f"!lang {number} fr")
    await scene.delivery.drain()
    assert await scene.hear("❌", preview.event_id, kind=EventKind.REACTION) == ""
    assert (await scene.desk.messages(number))[-1].state == "cancelled"
    await scene.delivery.drain()
    assert {each.edits or each.thread for each in scene.of(EN)[1:]} == {old.event_id, preview.event_id}
