# SPDX-License-Identifier: AGPL-3.0-or-later
"""What carries outbox rows to rooms, at a homeserver that refuses: nothing hangs and nothing is left open."""

import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.carriers.disposable import DisposableRooms
from bot.carriers.senders import RoomSenders
from bot.identity.session import BotAccount
from desk.delivery.delivery import REFUSALS_BEFORE_PARKING, Delivery
from desk.duty.pings import call
from desk.outbox.posts import announce, say_from_json, say_in_thread
from desk.replies import previews
from desk.rooms import disposable
from storage.models import OutboxState, Room, RoomState
from tests.bot.people import Bot, Memory, running
from tests.faults.fakehs import FakeHomeserver, Fault
from tests.worlds.desk import ANA, BEN, Desk, delivery_of, desk_at

BOT = "@bot:fake.test"
ROOM = "!en:helproom.test"
OPERATORS = "!ops:helproom.test"


@dataclass(frozen=True)
class Scene:
    """A desk whose English room is on a homeserver."""

    server: FakeHomeserver
    bot: Bot
    desk: Desk
    delivery: Delivery

    async def row(self, kind: str) -> OutboxState:
        """The state of the last row of a kind."""
        async with self.desk.units() as unit:
            return [row for row in await unit.outbox.in_state(*OutboxState) if row.kind == kind][-1].state

    async def room(self, number: int) -> Room:
        async with self.desk.units() as unit:
            found = await unit.rooms.get(number)
            assert found is not None
            return found


@pytest.fixture
async def scene(shaped: str, tmp_path: Path) -> AsyncIterator[Scene]:
    async with (
        FakeHomeserver() as server,
        desk_at(shaped) as desk,
        running(Memory(BotAccount(server.url, "bot", tmp_path / "session"))) as bot,
    ):
        await server.make_room(ROOM, BOT, ANA)
        await server.make_room(OPERATORS, BOT, ANA)
        await bot.syncer.step()
        rooms = DisposableRooms(desk.place, bot.rooms, bot.sender, version="11")
        carriers = {**RoomSenders(desk.place, bot.sender).table(), **rooms.table()}
        yield Scene(server, bot, desk, delivery_of(desk.place, carriers))


async def announced(scene: Scene, words: str = "Something about it.") -> int:
    """Open a ticket whose announcement waits, and something that is said about it."""
    number = await scene.desk.ticket()
    async with scene.desk.units() as unit:
        ticket = await unit.tickets.get(number)
        assert ticket is not None
        ticket.event_id = None
        await announce(scene.desk.work(unit), ticket)
        await say_in_thread(scene.desk.work(unit), ticket, words)
    return number


async def refuse(scene: Scene, *tickets: int, times: int) -> None:
    """Let the homeserver refuse the announcements of some tickets."""
    for row in await scene.desk.rows("announce"):
        if row.ticket_id in tickets:
            scene.server.script(Fault.FORBIDDEN, "PUT", f"/send/.*{row.ref}", times=times)


async def try_for(scene: Scene, *, minutes: int) -> None:
    for _ in range(minutes):
        await scene.delivery.drain()
        scene.desk.clock.pass_by(minutes=1)


async def states(scene: Scene, number: int) -> list[tuple[str, OutboxState]]:
    """What waits or has left for a ticket."""
    async with scene.desk.units() as unit:
        rows = await unit.outbox.in_state(*OutboxState)
        return [(row.kind, row.state) for row in rows if row.ticket_id == number]


async def told(scene: Scene) -> list[str]:
    """What was said to the operators, sent or not."""
    async with scene.desk.units() as unit:
        operators = await unit.rooms.of_operators()
        assert operators is not None
        rows = [row for row in await unit.outbox.in_state(OutboxState.PENDING) if row.room == operators.id]
        return [say_from_json(row.payload or "").text for row in rows]


PENDING, PARKED, SENT = OutboxState.PENDING, OutboxState.PARKED, OutboxState.SENT


async def test_a_refused_announcement_holds_up_what_is_said_about_its_ticket_only(scene: Scene) -> None:
    first, second = await announced(scene), await announced(scene)
    await refuse(scene, first, times=3)
    await scene.delivery.drain()
    assert await states(scene, first) == [("announce", PENDING), ("say", PENDING)]
    assert await states(scene, second) == [("announce", SENT), ("say", SENT)]
    await try_for(scene, minutes=10)
    assert await states(scene, first) == [("announce", SENT), ("say", SENT)]


async def test_an_announcement_that_is_refused_for_ever_is_parked_and_told_until_a_person_mends_it(
    scene: Scene,
) -> None:
    number = await announced(scene)
    await refuse(scene, number, times=REFUSALS_BEFORE_PARKING)
    await scene.delivery.drain()
    scene.server.script(Fault.ERROR, "PUT", "/rooms/!ops:.*/send/", times=1000)
    await try_for(scene, minutes=59)
    assert await states(scene, number) == [("announce", PARKED), ("say", PENDING)]
    (words,) = await told(scene)
    assert "(announce for ticket 1): The homeserver forbids it" in words
    row = words.partition("outbox row ")[2].partition(" ")[0]
    assert f"`!unpark {row}` tries again" in words
    assert await scene.desk.say(f"!unpark {row}") == f"Row {row} is tried again."
    await scene.delivery.drain()
    assert await states(scene, number) == [("announce", SENT), ("say", SENT)]


async def test_of_a_room_that_takes_nothing_the_operators_hear_once_and_let_all_go_at_once(
    scene: Scene,
) -> None:
    numbers = [await announced(scene) for _ in range(3)]
    await refuse(scene, *numbers, times=REFUSALS_BEFORE_PARKING)
    scene.server.script(Fault.ERROR, "PUT", "/rooms/!ops:.*/send/", times=1000)
    await try_for(scene, minutes=60)
    assert len(await told(scene)) == 1
    assert [await states(scene, number) for number in numbers] == [
        [("announce", PARKED), ("say", PENDING)]
    ] * 3
    assert await scene.desk.say("!unpark all") == "3 rows are tried again."
    await scene.delivery.drain()
    left = [await states(scene, number) for number in numbers]
    assert left == [[("announce", SENT), ("say", SENT)]] * 3


async def opened(scene: Scene) -> int:
    """Have a disposable room wanted; return its row's number."""
    number = await scene.desk.ticket()
    async with scene.desk.units() as unit:
        ticket = await unit.tickets.get(number)
        assert ticket is not None
        wish = disposable.RoomRequest(ANA, dt.timedelta(hours=1), (BEN,))
        await disposable.open_room(scene.desk.work(unit), ticket, wish)
        room = await unit.rooms.of_ticket(number)
        assert room is not None
        return room.id


async def close(scene: Scene, number: int) -> None:
    async with scene.desk.units() as unit:
        room = await unit.rooms.get(number)
        assert room is not None
        await disposable.close_room(scene.desk.work(unit), room)


async def test_a_room_that_was_closed_before_it_was_noted_is_left_empty(scene: Scene) -> None:
    number = await opened(scene)
    # Made, and then the answer is lost: the room stands, the row does not know it.
    scene.server.script(Fault.LOSE, "POST", "/createRoom$")
    await scene.delivery.drain()
    assert (await scene.room(number)).state is RoomState.WANTED
    assert len(scene.server.joined(BOT)) == 3
    await close(scene, number)
    scene.desk.clock.pass_by(minutes=10)
    await scene.delivery.drain()
    assert scene.server.joined(BOT) == [ROOM, OPERATORS]
    assert (await scene.room(number)).state is RoomState.CLOSED


async def test_one_person_who_cannot_be_removed_does_not_keep_the_others_there(scene: Scene) -> None:
    number = await opened(scene)
    await scene.delivery.drain()
    room_id = (await scene.room(number)).room_id
    assert room_id is not None
    await scene.bot.meet(room_id)
    scene.desk.clock.pass_by(minutes=10)
    await close(scene, number)
    scene.server.script(Fault.FORBIDDEN, "PUT", "/redact/")
    scene.server.script(Fault.FORBIDDEN, "POST", "/kick$")
    await scene.delivery.drain()
    assert scene.server.counted("POST", "/kick$") == 2
    assert (await scene.room(number)).state is RoomState.CLOSED
    assert scene.server.joined(BOT) == [ROOM, OPERATORS]


@pytest.fixture
def spoken(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the bot says, before it is encrypted."""
    said: list[dict[str, Any]] = []
    send = scene.bot.sender.send_event

    async def send_event(room_id: str, content: dict[str, Any], txn_id: str, **how: Any) -> str:
        said.append(content)
        return await send(room_id, content, txn_id, **how)

    monkeypatch.setattr(scene.bot.sender, "send_event", send_event)
    return said


async def called(scene: Scene, owner: str | None) -> None:
    number = await announced(scene)
    async with scene.desk.units() as unit:
        ticket = await unit.tickets.get(number)
        assert ticket is not None
        await call(scene.desk.work(unit), ticket, "The user wrote <again>.")
        ticket.owner = owner
    await scene.delivery.drain()


async def test_whoever_is_called_is_named_as_a_pill_and_mentioned_and_nobody_else(
    scene: Scene, spoken: list[dict[str, Any]]
) -> None:
    await called(scene, BEN)
    _, notice, call = spoken
    assert (notice["msgtype"], notice["m.mentions"]) == ("m.notice", {})
    assert (call["msgtype"], call["m.mentions"]) == ("m.text", {"user_ids": [BEN]})
    assert call["body"] == f"{BEN}: The user wrote <again>."
    assert call["formatted_body"] == (
        f'<a href="https://matrix.to/#/{BEN}">{BEN}</a>: The user wrote &lt;again&gt;.'
    )


async def test_where_nobody_is_responsible_nobody_is_mentioned(
    scene: Scene, spoken: list[dict[str, Any]]
) -> None:
    await called(scene, None)
    said = spoken[-1]
    assert (said["msgtype"], said["body"], said["m.mentions"]) == ("m.notice", "The user wrote <again>.", {})


async def test_the_button_of_a_preview_goes_when_its_answer_is_over(scene: Scene) -> None:
    await scene.desk.ticket()
    await scene.desk.say("!reply Hello", ticket=1)
    await scene.delivery.drain()
    (button,) = scene.server.sent(ROOM, "m.reaction")
    assert scene.server.sent(ROOM, "m.room.redaction") == []
    await scene.desk.say("!cancel", ticket=1)
    await scene.delivery.drain()
    (gone,) = scene.server.sent(ROOM, "m.room.redaction")
    assert gone["redacts"] == button["event_id"]
    async with scene.desk.units() as unit:
        draft = await unit.messages.get(2)
        assert draft is not None
        await previews.show_state(scene.desk.work(unit), draft)
    await scene.delivery.drain()
    assert len(scene.server.sent(ROOM, "m.room.redaction")) == 1
