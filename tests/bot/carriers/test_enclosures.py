# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which files are fetched out of a room: an agent's, encrypted, whole, and in the ticket's thread."""

import dataclasses
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from nio.crypto.attachments import encrypt_attachment

from bot.carriers.enclosures import PAGE, EnclosureFetcher
from bot.errors import TryLater
from bot.http.wire import request
from bot.sending.contents import StoredFile, file
from desk.outbox.posts import say_from_json
from desk.replies.attaching import FETCH, AttachRequest, ask
from storage.models import OutgoingFile, Room, RoomPurpose, RoomState
from tests.bot.conftest import Enter, Gather
from tests.bot.people import Bot, Peer
from tests.worlds.desk import Desk, delivery_of, desk_at, with_replies

CONTENT = b"\x89PNG, or so" * 100


@dataclass
class Scene:
    """A bot, an agent and a guest in one room, and a ticket whose thread is there."""

    bot: Bot
    desk: Desk
    ana: Peer
    guest: Peer
    room_id: str
    root: str

    async def upload(self, by: Peer, content: bytes = CONTENT, **more: Any) -> dict[str, Any]:
        """Upload a file and return what an event says of it."""
        sealed, opening = encrypt_attachment(content)
        stored = await request(by.client, "POST", "/_matrix/media/v3/upload", sealed)
        found = StoredFile("shot.png", "image/png", len(content), stored["content_uri"], opening)
        return {**file(found), **more}

    def placed(self, content: dict[str, Any], root: str = "") -> dict[str, Any]:
        relation = {"rel_type": "m.thread", "event_id": root or self.root, "is_falling_back": True}
        return {**content, "m.relates_to": relation}

    async def share(self, by: Peer, content: dict[str, Any] | None = None, *, root: str = "") -> str:
        """Put a file into the thread; return its event id."""
        placed = self.placed(content or await self.upload(by), root)
        return await by.say(self.room_id, "", **placed)

    async def attach(self, event_id: str | None, *, only_verified: bool = False, command: str = "") -> str:
        """Ask for a file as Ana, let it be fetched, and return what is said of it."""
        await self.bot.syncer.step()
        desk = self.desk
        async with desk.units() as unit:
            ticket, room = await unit.tickets.get(1, lock=True), await unit.rooms.by_room_id(self.room_id)
            assert ticket is not None
            assert room is not None
            wish = AttachRequest(self.ana.client.user_id, command, self.root, event_id)
            await ask(desk.work(unit), ticket, room, wish)
        fetcher = EnclosureFetcher(desk.place, self.bot.client, only_verified=only_verified)
        desk.clock.pass_by(minutes=2)
        delivery = delivery_of(desk.place, fetcher.table())
        for row in await desk.rows(FETCH):
            await delivery._drain_lane(row.lane)
        return say_from_json((await desk.rows("say"))[-1].payload or "").text


@pytest.fixture(name="scene")
async def make_scene(bot: Bot, enter: Enter, gather: Gather, tmp_path: Path) -> AsyncIterator[Scene]:
    ana, guest = await enter("ana"), await enter("guest")
    room_id = await gather(bot, ana, guest)
    root = await ana.say(room_id, "stands for the announcement")
    async with desk_at(f"sqlite+aiosqlite:///{tmp_path / 'desk.db'}") as desk:
        desk.config = dataclasses.replace(
            with_replies(desk.config, files_size=20_000), agents=frozenset({ana.client.user_id})
        )
        await desk.ticket()
        async with desk.units() as unit:
            ticket = await unit.tickets.get(1)
            assert ticket is not None
            ticket.event_id = root
            room = Room(ref="real", purpose=RoomPurpose.DISPOSABLE, state=RoomState.OPEN, room_id=room_id)
            await unit.rooms.add(room)
        yield Scene(bot, desk, ana, guest, room_id, root)


async def kept(scene: Scene) -> list[bytes]:
    async with scene.desk.units() as unit:
        query = "SELECT id FROM enclosure"
        numbers = (await (await unit._session.connection()).exec_driver_sql(query)).scalars().all()
        found = [await unit.enclosures.get(number) for number in numbers]
        return [(each.name or "").encode() for each in found if each is not None]


async def test_an_agents_file_is_fetched(scene: Scene) -> None:
    event = await scene.share(scene.ana)
    assert (await scene.attach(event)).startswith("Attached: “shot.png” (image/png, 1 KB).")
    assert await kept(scene) == [b"shot.png"]


async def test_what_is_not_an_agents_file_in_this_thread_is_refused(scene: Scene) -> None:
    ana, guest = scene.ana, scene.guest
    elsewhere = await ana.say(scene.room_id, "another announcement")
    removed = await scene.share(ana)
    await ana.client.room_redact(scene.room_id, removed)
    damaged = await scene.upload(ana)
    damaged["file"]["hashes"] = {"sha256": "A" * 43}
    odd = await scene.upload(ana)
    odd["file"] = {"url": odd["file"]["url"]}
    gone = await scene.upload(ana)
    gone["file"]["url"] += "x"
    nowhere = await scene.upload(ana)
    nowhere["file"]["url"] = "mxc://../../etc"
    liar = await scene.upload(ana, b"x" * 30_000, info={"size": 1})
    for event, why in (
        (await scene.share(guest), "is not from an agent"),
        (await scene.share(ana, root=elsewhere), "is not in this ticket's thread"),
        (await ana.say(scene.room_id, "", **await scene.upload(ana)), "is not in this ticket's thread"),
        (await ana.say(scene.room_id, "words"), "is no encrypted file"),
        (removed, "was removed from the room"),
        ("$nothing", "is not in this room"),
        (await scene.share(ana, damaged), "cannot be decrypted"),
        (await scene.share(ana, odd), "cannot be decrypted"),
        (await scene.share(ana, gone), "does not have that file"),
        (await scene.share(ana, nowhere), "where that file is stored cannot be read"),
        (await scene.share(ana, await scene.upload(ana, b"x" * 30_000)), "larger than 20 KB"),
        (await scene.share(ana, liar), "larger than 20 KB"),
    ):
        assert why in await scene.attach(event), why
    assert await kept(scene) == []


async def test_a_file_of_a_device_that_is_not_verified_is_refused_where_commands_are(
    scene: Scene, enter: Enter
) -> None:
    other = await enter("ana", signed=False, user_id=scene.ana.client.user_id)
    await other.join(scene.room_id)
    event = await scene.share(other)
    said = await scene.attach(event, only_verified=True)
    assert "NOT attached" in said
    assert await kept(scene) == []


async def test_without_a_reply_it_is_the_agents_newest_file_before_the_command(scene: Scene) -> None:
    first = await scene.upload(scene.ana, filename="older.png")
    await scene.share(scene.ana, first)
    removed = await scene.share(scene.ana, await scene.upload(scene.ana, filename="removed.png"))
    await scene.share(scene.ana, await scene.upload(scene.ana, filename="newest.png"))
    await scene.ana.client.room_redact(scene.room_id, removed)
    await scene.share(scene.guest)
    for number in range(PAGE):
        await scene.ana.say(scene.room_id, f"talk {number}", **scene.placed({}))
    command = await scene.ana.say(scene.room_id, "!attach", **scene.placed({}))
    await scene.share(scene.ana, await scene.upload(scene.ana, filename="later.png"))
    assert "Attached: “newest.png”" in await scene.attach(None, command=command)
    assert "that file is attached already" in await scene.attach(None, command=command)
    assert await kept(scene) == [b"newest.png"]


async def test_without_a_file_before_the_command_there_is_none(scene: Scene) -> None:
    command = await scene.ana.say(scene.room_id, "!attach", **scene.placed({}))
    await scene.share(scene.ana)
    assert "there is no file of yours before it" in await scene.attach(None, command=command)
    assert await kept(scene) == []


async def test_a_file_that_is_removed_while_it_is_fetched_is_not_kept(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.share(scene.ana, await scene.upload(scene.ana, filename="older.png"))
    newest = await scene.share(scene.ana, await scene.upload(scene.ana, filename="newest.png"))
    command = await scene.ana.say(scene.room_id, "!attach", **scene.placed({}))
    download = EnclosureFetcher._download
    chosen: list[OutgoingFile] = []

    async def slow(self: EnclosureFetcher, url: object) -> bytes:
        async with scene.desk.units() as unit:
            chosen.extend(await unit.enclosures.by_event(newest))
        sealed = await download(self, url)
        await scene.ana.client.room_redact(scene.room_id, newest)
        return sealed

    monkeypatch.setattr(EnclosureFetcher, "_download", slow)
    assert "that message was removed from the room" in await scene.attach(None, command=command)
    assert len(chosen) == 1
    assert await kept(scene) == []


async def test_what_was_chosen_once_is_chosen_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    await scene.share(scene.ana, await scene.upload(scene.ana, filename="older.png"))
    newest = await scene.share(scene.ana, await scene.upload(scene.ana, filename="newest.png"))
    command = await scene.ana.say(scene.room_id, "!attach", **scene.placed({}))

    async def away(_: EnclosureFetcher, __: object) -> bytes:
        raise TryLater("The homeserver does not answer.")

    with monkeypatch.context() as patched:
        patched.setattr(EnclosureFetcher, "_download", away)
        with pytest.raises(IndexError):
            await scene.attach(None, command=command)
    await scene.ana.client.room_redact(scene.room_id, newest)
    desk = scene.desk
    desk.clock.pass_by(minutes=1)
    fetcher = EnclosureFetcher(desk.place, scene.bot.client, only_verified=False)
    [row] = await desk.rows(FETCH)
    await delivery_of(desk.place, fetcher.table())._drain_lane(row.lane)
    assert "that message was removed" in say_from_json((await desk.rows("say"))[-1].payload or "").text
    assert await kept(scene) == []
