# SPDX-License-Identifier: AGPL-3.0-or-later
"""Only those whom the config names read what is said; others are removed, and the operators hear of it."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from bot.http.wire import path, request
from bot.testing.person import Person
from helproom.config.settings import read_settings
from tests.services.synapse import Homeserver
from tests.worlds.matrix import PASSWORD, MatrixDesk, Plan, running_desk

MAIL = b"From: user@example.org\r\nSubject: Printer\r\nMessage-ID: <p@example.org>\r\n\r\nIt is on fire.\r\n"


@contextlib.asynccontextmanager
async def outsider(plan: Plan) -> AsyncIterator[Person]:
    """Somebody with an account and a signed device whom no config names."""
    plan.homeserver.register(plan.user_id("mal").partition(":")[0][1:], PASSWORD)
    folder = plan.folder / "mal"
    person = await Person.log_in(plan.homeserver.url, plan.user_id("mal"), PASSWORD, folder)
    try:
        yield person
    finally:
        await person.close()


async def operators_hear(desk: MatrixDesk, words: str) -> None:
    async with desk.running.desk.units() as unit:
        room = await unit.rooms.of_operators()
    assert room is not None
    heard = await desk.hears(words)
    assert heard.room_id == room.room_id


async def test_who_is_taken_out_of_the_config_reads_no_more(tmp_path: Path, synapse: Homeserver) -> None:
    plan = Plan(tmp_path, synapse, names=("ana", "bob", "cem"))
    async with running_desk(plan) as desk:
        bob = desk.agents[1]
        await desk.deliver(MAIL)
        announcement = await desk.announced(1)
        room, thread = announcement.room_id, announcement.event_id
        await desk.ana.say(room, "!show", thread=thread)
        await desk.hears("on fire", by=bob)
        await desk.stop()
        config = tmp_path / "config.yaml"
        config.write_text(config.read_text().replace(f'["{bob.user_id}", ', "["))
        desk.settings = read_settings(config)
        # Before the desk has removed anybody: said, and given a key, in its first moment.
        await desk.ana.say(room, "!show", thread=thread)
        before = len(bob.seen)
        await desk.start()
        await desk.ana.wait_for(lambda seen: len([1 for each in desk.ana.seen if "on fire" in each.body]) > 1)
        await bob.wait_until_gone(room)
        bot = desk.running.session.user_id
        assert not [seen for seen in bob.seen[before:] if seen.sender == bot]
        await operators_hear(desk, f"{bob.user_id} is in the room, but is not named")


async def test_an_outsider_whom_an_agent_invites_is_removed_and_reads_nothing(
    tmp_path: Path, synapse: Homeserver
) -> None:
    plan = Plan(tmp_path, synapse)
    async with running_desk(plan) as desk, outsider(plan) as mal:
        await desk.deliver(MAIL)
        announcement = await desk.announced(1)
        room, thread = announcement.room_id, announcement.event_id
        client = desk.running.session.client
        where = path("rooms", room, "state", "m.room.power_levels", "")
        levels = await request(client, "GET", where)
        assert levels["invite"] == 100
        # As it was in rooms of older versions.
        await request(client, "PUT", where, {**levels, "invite": 50})
        ana = desk.agents[1]._client
        await request(ana, "POST", path("rooms", room, "invite"), {"user_id": mal.user_id})
        await desk.ana.say(room, "!show", thread=thread)
        await desk.hears("on fire", thread=thread)
        await operators_hear(desk, f"{mal.user_id}")
        await mal.wait_until_gone(room)
        # What an agent's own client sends, it may have given to whoever was there at that moment.
        bot = desk.running.session.user_id
        assert not [seen for seen in mal.seen if (seen.room_id, seen.sender) == (room, bot)]
        assert (await request(client, "GET", where))["invite"] == 100
