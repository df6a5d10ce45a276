# SPDX-License-Identifier: AGPL-3.0-or-later
"""What carries outbox rows to rooms, at a homeserver that refuses: nothing hangs and nothing is left open."""

import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.disposable import DisposableRooms
from bot.senders import RoomSenders
from bot.session import Account
from desk import disposable
from desk.delivery import Delivery
from desk.posting import announce, say_in_thread
from storage.models import Room
from storage.states import OutboxState, RoomState
from tests.bot.people import Bot, Memory, running
from tests.desks import ANA, BEN, Desk, desk_at
from tests.faults.fakehs import FakeHomeserver, Fault

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
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    database = f"sqlite+aiosqlite:///{tmp_path / 'desk.db'}"
    async with (
        FakeHomeserver() as server,
        desk_at(database) as desk,
        running(Memory(Account(server.url, "bot", tmp_path / "session"))) as bot,
    ):
        await server.make_room(ROOM, BOT, ANA)
        await server.make_room(OPERATORS, BOT, ANA)
        await bot.syncer.step()
        rooms = DisposableRooms(desk.units, desk.world, bot.rooms, bot.sender, version="11")
        carriers = {**RoomSenders(desk.units, desk.world, bot.sender).table(), **rooms.table()}
        yield Scene(server, bot, desk, Delivery(desk.units, desk.world, carriers))


async def announced(scene: Scene) -> int:
    """Open a ticket whose announcement waits."""
    number = await scene.desk.ticket()
    async with scene.desk.units() as unit:
        ticket = await unit.tickets.get(number)
        assert ticket is not None
        ticket.event_id = None
        await announce(unit, scene.desk.world, ticket)
        await say_in_thread(unit, scene.desk.world, ticket, "Something about it.")
    return number


async def test_an_announcement_that_is_refused_is_tried_again(scene: Scene) -> None:
    await announced(scene)
    scene.server.script(Fault.FORBIDDEN, "PUT", "/send/")
    await scene.delivery.drain()
    assert await scene.row("announce") is OutboxState.PENDING
    scene.desk.clock.pass_by(minutes=10)
    await scene.delivery.drain()
    assert await scene.row("announce") is await scene.row("say") is OutboxState.SENT


async def test_what_hangs_on_a_parked_announcement_holds_up_nobody(scene: Scene) -> None:
    await announced(scene)
    async with scene.desk.units() as unit:
        (row,) = [row for row in await unit.outbox.in_state(OutboxState.PENDING) if row.kind == "announce"]
        row.state = OutboxState.PARKED
    await scene.delivery.drain()
    async with scene.desk.units() as unit:
        parked = await unit.outbox.in_state(OutboxState.PARKED)
        assert [row.kind for row in parked] == ["announce", "say"]
        assert not await unit.outbox.in_state(OutboxState.PENDING)


async def opened(scene: Scene) -> int:
    """Have a disposable room wanted; return its row's number."""
    number = await scene.desk.ticket()
    async with scene.desk.units() as unit:
        ticket = await unit.tickets.get(number)
        assert ticket is not None
        wish = disposable.Wish(ANA, dt.timedelta(hours=1), (BEN,))
        await disposable.open_room(unit, scene.desk.world, scene.desk.house, ticket, wish)
        room = await unit.rooms.of_ticket(number)
        assert room is not None
        return room.id


async def close(scene: Scene, number: int) -> None:
    async with scene.desk.units() as unit:
        room = await unit.rooms.get(number)
        assert room is not None
        await disposable.close_room(unit, scene.desk.world, room)


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
