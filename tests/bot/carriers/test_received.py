# SPDX-License-Identifier: AGPL-3.0-or-later
"""A user's file that the homeserver does not take: whoever asked for it hears so in the thread."""

from pathlib import Path

from bot.carriers.received_files import FileShower
from bot.carriers.senders import RoomSenders
from bot.identity.session import BotAccount
from desk.letters.opened import Attachment
from desk.outbox.outcomes import Delivered, OutboxItem, Outcome
from desk.outbox.posts import SAY, put, say_from_json
from desk.tickets.received_files import SHOW_FILE, FileRequest
from storage.sealing.columns import to_json
from tests.bot.people import Memory, running
from tests.faults.fakehs import FakeHomeserver, Fault
from tests.worlds.desk import delivery_of, desk_at


async def _film(_: FileRequest) -> Attachment:
    return Attachment("film.mkv", "video/x-matroska", 4, b"film")


async def test_a_refused_upload_is_told_in_the_thread_once(tmp_path: Path) -> None:
    async with (
        FakeHomeserver() as server,
        desk_at(f"sqlite+aiosqlite:///{tmp_path / 'desk.db'}") as desk,
        running(Memory(BotAccount(server.url, "bot", tmp_path / "session"))) as bot,
    ):
        number = await desk.ticket()
        wanted = to_json({"letter": 1, "index": 0, "name": "film.mkv", "size": 4})
        async with desk.units() as unit:
            await put(desk.work(unit), SHOW_FILE, "films", wanted, room=1, ticket=number)
        server.script(Fault.FORBIDDEN, "POST", "/media/v3/upload", times=1)
        senders = RoomSenders(desk.place, bot.sender)
        shower = FileShower(desk.place, bot.sender, senders, _film)
        told: list[str] = []

        async def hear(parcel: OutboxItem) -> Outcome:
            told.append(say_from_json(parcel.payload).text)
            return Delivered()

        await delivery_of(desk.place, {**shower.table(), SAY: hear}).drain()
    assert [text.partition(":")[0] for text in told] == ["The file film.mkv is not shown"]
