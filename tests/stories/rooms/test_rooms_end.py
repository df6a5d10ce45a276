# SPDX-License-Identifier: AGPL-3.0-or-later
"""Rooms that end under the desk: replaced by others, or with the bot put out of them."""

import asyncio
from pathlib import Path

import pytest

from bot.http.wire import Json, path, request
from bot.testing.person import PATIENCE, Person
from helproom.config.settings import read_settings
from tests.services.synapse import Homeserver
from tests.worlds.matrix import MatrixDesk, Plan, running_desk

MAIL = b"From: user@example.org\r\nSubject: Printer\r\nMessage-ID: <p@example.org>\r\n\r\nIt is on fire.\r\n"


async def room_of(desk: MatrixDesk, queue: str | None) -> str:
    """The room of a queue or of the operators, as soon as Ana is in it."""
    async with asyncio.timeout(PATIENCE):
        while True:
            async with desk.running.desk.units() as unit:
                row = await (unit.rooms.of_queue(queue) if queue else unit.rooms.of_operators())
            assert row is not None
            if row.room_id is not None and row.room_id in await desk.ana.rooms():
                return row.room_id
            await asyncio.sleep(0.1)


async def ask(person: Person, method: str, where: str, body: Json) -> Json:
    return await request(person._session.client, method, where, body)


async def upgrade(desk: MatrixDesk, room: str) -> str:
    """Replace a room, as an admin does with a client; return the new one."""
    bot = desk.running.session
    where = path("rooms", room, "state", "m.room.power_levels", "")
    levels = await request(bot.client, "GET", where)
    equal = {**levels, "users": {**levels["users"], desk.ana.user_id: 100}}
    await request(bot.client, "PUT", where, equal)
    made = await ask(desk.ana, "POST", path("rooms", room, "upgrade"), {"new_version": "11"})
    return str(made["replacement_room"])


async def invite_bot(desk: MatrixDesk, room: str) -> None:
    who = {"user_id": desk.running.session.user_id}
    await ask(desk.ana, "POST", path("rooms", room, "invite"), who)


async def test_a_replaced_room_is_followed_with_its_tickets(tmp_path: Path, synapse: Homeserver) -> None:
    async with running_desk(Plan(tmp_path, synapse)) as desk:
        await desk.deliver(MAIL)
        old = (await desk.announced(1)).room_id
        new = await upgrade(desk, old)
        await desk.hears(f"The room of “en” was replaced by {new}, and I cannot go there")
        await desk.deliver(MAIL.replace(b"<p@", b"<q@"))
        await invite_bot(desk, new)
        await desk.hears("was replaced, and I went on into")
        assert await room_of(desk, "en") == new
        again = await desk.ana.wait_for(lambda seen: "#1 " in seen.body and seen.room_id == new)
        late = await desk.ana.wait_for(lambda seen: "#2 " in seen.body and seen.replaces is None)
        assert late.room_id == new
        await desk.ana.say(new, "!show", thread=again.event_id)
        assert (await desk.hears("on fire", thread=again.event_id)).room_id == new


async def test_a_config_that_names_the_old_room_leads_to_the_new_one(
    tmp_path: Path, synapse: Homeserver
) -> None:
    async with running_desk(Plan(tmp_path, synapse)) as desk:
        old = await room_of(desk, None)
        config = tmp_path / "config.yaml"
        config.write_text(config.read_text().replace("operators:\n", f'operators:\n  room: "{old}"\n'))
        desk.settings = read_settings(config)
        await desk.stop()
        await desk.start()
        new = await upgrade(desk, old)
        await desk.stop()
        await invite_bot(desk, new)
        # It is seen at the start, too.
        await desk.start()
        told = await desk.hears(f'the line of `operators` in the config to `room: "{new}"`', seconds=60)
        assert told.room_id == new
        await desk.stop()
        await desk.start()
        assert await room_of(desk, None) == new


async def test_a_room_that_only_says_to_be_the_successor_is_none(tmp_path: Path, synapse: Homeserver) -> None:
    async with running_desk(Plan(tmp_path, synapse)) as desk:
        old = await room_of(desk, "fr")
        made = await ask(
            desk.ana,
            "POST",
            path("createRoom"),
            {"creation_content": {"predecessor": {"room_id": old}}, "preset": "private_chat"},
        )
        await invite_bot(desk, made["room_id"])
        bot = desk.running.session
        where = path("rooms", made["room_id"], "state", "m.room.member", bot.user_id)
        async with asyncio.timeout(PATIENCE):
            while (await ask(desk.ana, "GET", where, {}))["membership"] != "leave":  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        assert await room_of(desk, "fr") == old


async def test_a_successor_that_does_not_say_so_is_left(tmp_path: Path, synapse: Homeserver) -> None:
    async with running_desk(Plan(tmp_path, synapse)) as desk:
        old, bot = await room_of(desk, "fr"), desk.running.session
        made = await ask(desk.ana, "POST", path("createRoom"), {"preset": "public_chat"})
        where = path("rooms", old, "state", "m.room.tombstone", "")
        await request(bot.client, "PUT", where, {"body": "", "replacement_room": made["room_id"]})
        await desk.hears("but that room does not say so")
        assert await room_of(desk, "fr") == old
        present = await ask(desk.ana, "GET", path("rooms", made["room_id"], "joined_members"), {})
        assert bot.user_id not in present["joined"]
        await desk.deliver(MAIL)
        assert (await desk.announced(1)).room_id == await room_of(desk, "en")


async def test_a_room_that_ends_without_another_is_told_and_spoken_in(
    tmp_path: Path, synapse: Homeserver
) -> None:
    async with running_desk(Plan(tmp_path, synapse)) as desk:
        room, bot = await room_of(desk, "en"), desk.running.session
        where = path("rooms", room, "state", "m.room.tombstone", "")
        await request(bot.client, "PUT", where, {"body": "", "replacement_room": "{odd} <b>"})
        await desk.hears("but no other room was named in its place. I go on there.")
        await desk.deliver(MAIL)
        assert (await desk.announced(1)).room_id == room


@pytest.mark.parametrize(("how", "words"), [("kick", "I was removed from"), ("ban", "I was banned from")])
async def test_the_bot_is_put_out_of_a_room(
    tmp_path: Path, synapse: Homeserver, how: str, words: str
) -> None:
    async with running_desk(Plan(tmp_path, synapse)) as desk:
        room = await room_of(desk, "fr")
        bot = desk.running.session
        where = path("rooms", room, "state", "m.room.power_levels", "")
        levels = await request(bot.client, "GET", where)
        users = {**levels["users"], bot.user_id: 50, desk.ana.user_id: 100}
        await request(bot.client, "PUT", where, {**levels, "users": users})
        await ask(desk.ana, "POST", path("rooms", room, how), {"user_id": bot.user_id})
        heard = await desk.hears(words)
        assert heard.room_id == await room_of(desk, None)
        assert desk.ana.user_id in heard.body
        if how == "kick":
            await invite_bot(desk, room)
            async with asyncio.timeout(PATIENCE):
                while room not in bot.client.rooms:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
