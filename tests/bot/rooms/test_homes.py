# SPDX-License-Identifier: AGPL-3.0-or-later
"""Rooms that are refused, people who cannot be invited or removed now: told once, and the rest goes on."""

from dataclasses import replace
from typing import Any

import pytest

from bot.errors import Rejected, TryLater
from bot.rooms.homes import Home, HomeKeeper, note_homes
from bot.rooms.members import Members, named_for
from bot.rooms.replacement import Successors
from bot.rooms.rooms import Member, RoomPlan, Rooms, level_of
from storage.models import OutboxState, RoomState
from tests.worlds.desk import ANA, BEN, EVE, Desk

OWN = "@help:helproom.test"


class Wire(Rooms):
    """What a homeserver answers that cannot be made to, by the rooms' ids or the users'."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.inside: dict[str, set[str]] = {}
        self.kicked: list[str] = []

    @property
    def own_id(self) -> str:
        return OWN

    def _answer(self, what: str) -> object:
        answer = self.answers.get(what)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def joined_rooms(self) -> tuple[str, ...]:
        return tuple(self.inside)

    async def open_room(self, plan: RoomPlan) -> str:
        self._answer(f"open {plan.name}")
        self.inside.setdefault(f"!{plan.name}:x", {OWN})
        return f"!{plan.name}:x"

    async def join(self, room_id: str) -> None:
        assert OWN in self.inside[room_id]

    async def is_present(self, room_id: str, user_id: str) -> bool:
        return user_id in self.inside[room_id]

    async def exists(self, user_id: str) -> bool:
        self._answer(f"exists {user_id}")
        return user_id != BEN

    async def invite(self, room_id: str, user_id: str) -> None:
        self._answer(f"invite {user_id}")
        self.inside[room_id].add(user_id)

    async def members(self, room_id: str) -> tuple[Member, ...]:
        self._answer(f"members {room_id}")
        return tuple(Member(user, "join", user) for user in sorted(self.inside[room_id]))

    async def kick(self, room_id: str, user_id: str) -> None:
        self._answer(f"kick {user_id}")
        self.kicked.append(user_id)
        self.inside[room_id].discard(user_id)

    async def keep_invitations(self, room_id: str, members: object) -> bool:
        return True

    async def state(self, room_id: str, kind: str, key: str = "") -> dict[str, Any]:
        return self.answers.get(kind, {"topic": "-", "name": "-"})


async def told(desk: Desk) -> list[str]:
    """What the operators' room is to read."""
    async with desk.units() as unit:
        operators = await unit.rooms.of_operators()
        assert operators is not None
        rows = await unit.outbox.in_state(OutboxState.PENDING)
        return [row.payload or "" for row in rows if row.room == operators.id]


async def forget_rooms(desk: Desk) -> None:
    async with desk.units() as unit:
        for room in await unit.rooms.lasting():
            room.room_id, room.state = None, RoomState.WANTED


async def test_a_room_that_is_refused_is_told_once_and_the_others_are_made(desk: Desk) -> None:
    homes = (Home("en", "en", (ANA,)), Home("fr", "fr", (ANA,)), Home(None, "operators", (ANA,)))
    await note_homes(desk.place, homes)
    await forget_rooms(desk)
    wire = Wire(**{"open en": Rejected("The name is taken.", "M_ROOM_IN_USE")})
    keeper = HomeKeeper(desk.place, wire, homes, version="11", federate=True)
    for _ in range(2):
        assert not await keeper.settle()
    assert wire.inside == {f"!{name}:x": {OWN, ANA} for name in ("fr", "operators")}
    assert sum("The room of “en” could not be made" in words for words in await told(desk)) == 1
    wire.answers.clear()
    assert await keeper.settle()
    assert "!en:x" in wire.inside


async def test_that_no_such_user_exists_is_told_though_the_homeserver_fails_in_between(desk: Desk) -> None:
    homes = (Home("en", "en", (BEN, ANA)),)
    await note_homes(desk.place, homes)
    await forget_rooms(desk)
    wire = Wire(**{f"invite {ANA}": TryLater("It is busy.")})
    keeper = HomeKeeper(desk.place, wire, homes, version="11", federate=True)
    with pytest.raises(TryLater):
        await keeper.settle()
    wire.answers.clear()
    assert await keeper.settle()
    assert sum(f"{BEN} is invited, but no such user exists." in words for words in await told(desk)) == 1


async def test_who_is_removed_later_is_told_once(desk: Desk) -> None:
    async with desk.units() as unit:
        room = await unit.rooms.of_queue("en")
        assert room is not None
        room.room_id, room.state = "!en:x", RoomState.OPEN
    wire = Wire(**{f"kick {EVE}": TryLater("It is busy.")})
    wire.inside["!en:x"] = {OWN, ANA, EVE}
    members = Members(desk.place, wire)
    for _ in range(3):
        with pytest.raises(TryLater):
            await members.tidy("!en:x")
    wire.answers.clear()
    await members.tidy("!en:x")
    assert wire.kicked == [EVE]
    assert sum("I remove this user" in words for words in await told(desk)) == 1
    wire.inside["!en:x"].add(EVE)
    await members.tidy("!en:x")
    assert sum("I remove this user" in words for words in await told(desk)) == 2


async def test_a_room_of_which_something_odd_is_said_keeps_no_other_untidy(desk: Desk) -> None:
    async with desk.units() as unit:
        for room in await unit.rooms.lasting():
            room.room_id, room.state = f"!{room.queue}:x", RoomState.OPEN
    wire = Wire(**{"members !en:x": AttributeError("odd")})
    wire.inside = {"!en:x": {OWN, EVE}, "!fr:x": {OWN, EVE}, "!None:x": {OWN, EVE}}
    await Members(desk.place, wire).tidy_all()
    assert wire.inside["!fr:x"] == wire.inside["!None:x"] == {OWN}


async def test_a_room_that_names_itself_as_its_successor_goes_on(desk: Desk) -> None:
    async with desk.units() as unit:
        room = await unit.rooms.of_queue("en")
        assert room is not None
        room.room_id, room.state = "!en:x", RoomState.REPLACED
    wire = Wire(**{"m.room.tombstone": {"replacement_room": "!en:x"}})
    wire.inside["!en:x"] = {OWN}
    await Successors(desk.place, wire, Members(desk.place, wire), ()).follow("!en:x")
    async with desk.units() as unit:
        room = await unit.rooms.of_queue("en")
        assert room is not None
        assert (room.room_id, room.state) == ("!en:x", RoomState.OPEN)
    assert sum("that room does not say so" in words for words in await told(desk)) == 1


@pytest.mark.parametrize(
    ("value", "level"),
    [(50, 50), ("100", 100), ("much", 0), (None, 0), ({}, 0), (float("inf"), 0), (10**30, 10**30)],
)
def test_an_odd_power_level_is_none(value: object, level: int) -> None:
    assert level_of(value) == level


async def test_an_agent_belongs_into_a_disposable_room_as_long_as_the_config_names_them(
    desk: Desk,
) -> None:
    await desk.ticket()
    await desk.say(f"!room open {BEN} @user:elsewhere.test", ticket=1, by=ANA)
    async with desk.units() as unit:
        room = await unit.rooms.of_ticket(1)
        assert room is not None
        assert named_for(desk.place.config, room) == {ANA, BEN, "@user:elsewhere.test"}
        without_ben = replace(desk.config, agents=desk.config.agents - {BEN})
        assert named_for(without_ben, room) == {ANA, "@user:elsewhere.test"}
