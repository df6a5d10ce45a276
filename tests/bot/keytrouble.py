# SPDX-License-Identifier: AGPL-3.0-or-later
"""A bot works while its key store cannot be written, and after; by itself, on a disk that is really full.

unshare --map-root-user --mount python -m tests.bot.keytrouble URL FOLDER BOT ANA BEN
"""

import asyncio
import contextlib
import ctypes
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

from bot.errors import KeyStoreTrouble
from bot.identity.session import BotAccount
from bot.identity.trust import IdentityTrust
from bot.rooms.rooms import RoomPlan
from bot.sending import contents
from bot.sending.rendering import plain
from tests.bot.people import Bot, Memory, Peer, reset_identity, running

Trouble = Callable[[Bot], contextlib.AbstractContextManager[None]]
PAGE = 4096


@contextlib.contextmanager
def read_only(bot: Bot) -> Iterator[None]:
    """SQLite refuses every write, as it does on a disk that is mounted read-only."""
    bot.client.store.database.execute_sql("PRAGMA query_only = 1")
    yield
    bot.client.store.database.execute_sql("PRAGMA query_only = 0")


@contextlib.contextmanager
def gone(bot: Bot) -> Iterator[None]:
    """The folder is not there: neither database nor the files beside it can be written."""
    folder = Path(bot.client.store_path)
    away = folder.with_name("away")
    folder.rename(away)
    yield
    away.rename(folder)


@contextlib.contextmanager
def full(bot: Bot) -> Iterator[None]:
    """Not a page is left on the disk that holds the store."""
    ballast = Path(bot.client.store_path) / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(PAGE))
    yield
    ballast.unlink()


async def work(bot: Bot, trouble: Trouble, ana: Peer, ben: Peer) -> None:
    """Commands with keys in old and new sessions, answers, and a change of identity, all in the trouble."""
    room_id = await bot.rooms.create_room(
        RoomPlan("keys", "room", invite=(ana.client.user_id, ben.client.user_id))
    )
    for one in (ana, ben):
        await one.join(room_id)
    await bot.meet(room_id)
    await ana.say(room_id, "!before")
    await bot.syncer.step()
    await bot.trust.refresh([ana.client.user_id, ben.client.user_id])
    assert ben.client.user_id in bot.pins
    ana.client.invalidate_outbound_session(room_id)
    await reset_identity(ben.client, ben.folder)
    with trouble(bot):
        async with _syncing(bot):
            await ana.say(room_id, "!with a key in a session that is known")
            await ben.say(room_id, "!with a key in a session that is new")
            await bot.syncing_stumbles()
        try:
            await bot.sender.send_event(room_id, contents.notice(plain("now")), "r1")
        except KeyStoreTrouble:
            pass
        else:
            raise AssertionError("a key was given away that is not kept")
    async with _syncing(bot), asyncio.timeout(30):
        await bot.journal.hears(
            [
                "!before",
                "!with a key in a session that is known",
                "!with a key in a session that is new",
            ]
        )
    told = await bot.sender.send_event(room_id, contents.notice(plain("now")), "r1")
    for one in (ana, ben):
        await one.see(told)
    assert (ana.could_read(told), ben.could_read(told)) == (True, False)
    assert await bot.sender.find_by_marker(room_id, "r1") == told
    judgement = bot.trust.judgement(ben.client.user_id)
    assert judgement is not None
    assert judgement.standing is IdentityTrust.CHANGED


@contextlib.asynccontextmanager
async def _syncing(bot: Bot) -> AsyncIterator[None]:
    task = asyncio.create_task(bot.syncer.run())
    try:
        yield
    finally:
        assert not task.done(), task
        task.cancel()


async def _main(url: str, folder: Path, names: list[str]) -> None:
    _mount(folder)
    bot_name, *others = names
    async with running(Memory(BotAccount(url, bot_name, folder / "session"))) as bot:
        await bot.syncer.step()
        peers = [Peer(url, name, folder.with_name(name.strip("@").partition(":")[0])) for name in others]
        for peer in peers:
            await peer.begin()
        await work(bot, full, *peers)
        for peer in peers:
            await peer.end()


def _mount(folder: Path) -> None:
    """Mount a disk of a megabyte, which goes with this process."""
    folder.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, b"size=1m") != 0:
        raise OSError(ctypes.get_errno(), "mount")


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:]))
