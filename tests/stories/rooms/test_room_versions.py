# SPDX-License-Identifier: AGPL-3.0-or-later
"""The whole job in rooms older and newer than the usual ones; in version 12 creators outrank everybody."""

from pathlib import Path

import pytest

from bot.http.wire import Json, path, request
from bot.rooms.rooms import AGENT, Rooms
from storage.models import RoomPurpose
from tests.services.synapse import Homeserver
from tests.stories.rooms.test_disposable_room import open_room, visit
from tests.stories.test_main_job import do_the_main_job
from tests.worlds.matrix import MatrixDesk, Plan, running_desk


async def state(desk: MatrixDesk, room: str, kind: str) -> Json:
    return await request(desk.running.session.client, "GET", path("rooms", room, "state", kind, ""))


async def is_as_it_should_be(desk: MatrixDesk, room: str, version: str, *agents: str) -> None:
    """The bot may do its work, agents have their rank, and the bot is listed only where it has to be."""
    assert (await state(desk, room, "m.room.create"))["room_version"] == version
    assert (":" in room) == (version != "12")
    assert await Rooms(desk.running.session.client).missing_rights(room) == ()
    users = (await state(desk, room, "m.room.power_levels"))["users"]
    bot = desk.running.session.user_id
    assert users.pop(bot, None) == (None if version == "12" else 100)
    assert users == dict.fromkeys(agents, AGENT)


@pytest.mark.parametrize("version", ["10", "12"])
async def test_the_main_job_and_a_disposable_room_in_rooms_of_another_version(
    tmp_path: Path, synapse: Homeserver, version: str
) -> None:
    plan = Plan(tmp_path, synapse, matrix=f'  room_version: "{version}"\n')
    async with running_desk(plan) as desk:
        ana, bob = (agent.user_id for agent in desk.agents)
        await do_the_main_job(desk)
        async with desk.running.desk.units() as unit:
            rooms = {row.room_id or "": row.purpose for row in await unit.rooms.all_open()}
        assert len(rooms) == 3
        for home, purpose in rooms.items():
            members = (ana,) if purpose is RoomPurpose.OPERATORS else (ana, bob)
            await is_as_it_should_be(desk, home, version, *members)
        # A second start finds the rooms again and makes none.
        await desk.stop()
        await desk.start()
        async with desk.running.desk.units() as unit:
            assert {row.room_id for row in await unit.rooms.all_open()} == set(rooms)
        guest = await visit(plan)
        try:
            room, thread = await open_room(desk, guest, number=2)
            await is_as_it_should_be(desk, room, version, ana)
            await desk.ana.say(room, "!room close")
            await desk.hears("The disposable room is closed", thread=thread)
            await guest.wait_until_gone(room)
        finally:
            await guest.close()
