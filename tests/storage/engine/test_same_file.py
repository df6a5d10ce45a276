# SPDX-License-Identifier: AGPL-3.0-or-later
"""A database file that is renamed, removed or replaced while it is written to takes nothing more."""

import asyncio
import shutil
import smtplib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from helproom.jobs.keeping import keeper
from helproom.world import real_world
from mail.inbound.lmtp import LmtpDoor
from storage.engine.connect import open_engine
from storage.engine.single_use import take_sole_use
from storage.engine.troubles import StorageTrouble
from storage.migrating import migrate
from storage.sealing.vault import Vault
from storage.unit import Units

LETTER = b"From: a@user.example\r\nSubject: hi\r\n\r\nHello\r\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "desk.db"


@pytest.fixture
async def units(file: Path) -> AsyncIterator[Units]:
    units = Units(open_engine(f"sqlite:///{file}"), Vault(bytes(32)))
    await migrate(units.engine)
    async with units() as unit:
        await unit.facts.set("token", "s1")
    yield units
    await units.close()


async def set_token(units: Units, value: str) -> None:
    async with units() as unit:
        await unit.facts.set("token", value)


def _rename(file: Path) -> None:
    file.rename(file.with_name("away.db"))


def _replace(file: Path) -> None:
    _rename(file)
    shutil.copy(file.with_name("away.db"), file)


def _lose_log(file: Path) -> None:
    file.with_name("desk.db-wal").unlink()


@pytest.mark.parametrize(
    ("lose", "words"),
    [(_rename, "is gone"), (Path.unlink, "is gone"), (_replace, "Another file"), (_lose_log, "is gone")],
)
async def test_a_lost_file_takes_nothing(
    units: Units, file: Path, lose: Callable[[Path], None], words: str
) -> None:
    lose(file)
    for _ in range(2):
        with pytest.raises(StorageTrouble, match=words):
            await set_token(units, "s2")


async def test_a_file_that_goes_while_it_is_written_to_has_kept_nothing(units: Units, file: Path) -> None:
    async def lose_within() -> None:
        async with units() as unit:
            await unit.facts.set("token", "s2")
            _rename(file)

    with pytest.raises(StorageTrouble, match="is gone"):
        await lose_within()


async def test_a_new_connection_makes_no_file_where_the_old_one_was(units: Units, file: Path) -> None:
    _rename(file)
    await units.engine.dispose()
    with pytest.raises(StorageTrouble, match="is gone"):
        await set_token(units, "s2")
    assert [each.name for each in file.parent.iterdir() if each == file] == []


async def test_all_goes_on_when_the_same_file_is_back(units: Units, file: Path) -> None:
    _rename(file)
    with pytest.raises(StorageTrouble):
        await set_token(units, "s2")
    file.with_name("away.db").rename(file)
    await set_token(units, "s3")
    await units.engine.dispose()
    async with units() as unit:
        assert await unit.facts.get("token") == "s3"


async def test_a_letter_is_not_taken_while_the_file_is_gone(units: Units, file: Path) -> None:
    door = LmtpDoor(lambda _: "en", keeper(units, real_world(), "lmtp"))
    await door.start()

    def hand_over() -> int:
        with smtplib.LMTP("127.0.0.1", door.port) as client:
            client.ehlo("mx.example")
            client.mail("a@user.example")
            client.rcpt("help@desk.example")
            return client.data(LETTER)[0]

    assert await asyncio.to_thread(hand_over) == 250
    _rename(file)
    assert await asyncio.to_thread(hand_over) == 451
    file.with_name("away.db").rename(file)
    assert await asyncio.to_thread(hand_over) == 250
    await door.stop()


async def test_a_lost_file_is_said_once_and_that_it_is_back(units: Units, file: Path) -> None:
    sole_use = await take_sole_use(units.engine)
    with capture_logs() as said:
        await sole_use.check()
        _rename(file)
        for _ in range(2):
            await sole_use.check()
        file.with_name("away.db").rename(file)
        await sole_use.check()
    await sole_use.close()
    assert [line["event"] for line in said] == ["database.lost", "database.back"]
