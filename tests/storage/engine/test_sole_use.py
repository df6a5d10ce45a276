# SPDX-License-Identifier: AGPL-3.0-or-later
"""Of two processes only one works on a database, from whatever folder they were started."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.engine.connect import open_engine
from storage.engine.single_use import ADVISORY_KEY, DatabaseInUse, take_sole_use, watch
from storage.engine.troubles import StorageTrouble

HOLDER = """
import asyncio, sys
from storage.engine.single_use import take_sole_use
from storage.engine.connect import open_engine

async def hold():
    sole_use = await take_sole_use(open_engine(sys.argv[1]))
    print("mine", flush=True)
    await asyncio.Event().wait()

asyncio.run(hold())
"""


@pytest.fixture(name="engine")
async def make_engine(database: str) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(database)
    yield engine
    await engine.dispose()


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.engine.single_use.PATIENCE_SECONDS", 0.1)


async def holder(database: str) -> Process:
    """Start another process that takes the database for itself."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", HOLDER, database, stdout=PIPE)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"mine\n"
    return process


async def test_a_database_is_free_again_when_its_process_was_killed(
    database: str, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = await holder(database)
    with pytest.raises(DatabaseInUse, match="already"):
        await take_sole_use(engine)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    monkeypatch.setattr("storage.engine.single_use.PATIENCE_SECONDS", 3.0)
    sole_use = await take_sole_use(engine)
    await sole_use.check()
    await sole_use.close()


async def test_a_database_is_free_again_when_it_is_given_back(database: str, engine: AsyncEngine) -> None:
    first = await take_sole_use(engine)
    other = open_engine(database)
    with pytest.raises(DatabaseInUse):
        await take_sole_use(other)
    await first.close()
    second = await take_sole_use(other)
    with pytest.raises(DatabaseInUse):
        await take_sole_use(engine)
    await second.close()
    await other.dispose()


async def test_a_link_to_a_database_is_the_same_database(tmp_path: Path) -> None:
    engine, linked = (open_engine(f"sqlite:///{tmp_path / name}") for name in ("desk.db", "link.db"))
    (tmp_path / "link.db").symlink_to(tmp_path / "desk.db")
    first = await take_sole_use(engine)
    with pytest.raises(DatabaseInUse):
        await take_sole_use(linked)
    await first.close()


async def test_a_folder_that_takes_no_lock_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageTrouble, match=r"lock file cannot be opened: No such file or directory\."):
        await take_sole_use(open_engine(f"sqlite:///{tmp_path / 'nowhere' / 'desk.db'}"))


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
async def test_a_lock_that_fell_is_taken_again_unless_another_was_faster(
    database: str, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    sole_use = await take_sole_use(engine)
    await _break(engine)
    await sole_use.check()
    await _break(engine)
    process = await holder(database)
    monkeypatch.setattr("storage.engine.single_use.WATCH_SECONDS", 0.01)
    with pytest.raises(DatabaseInUse):
        await watch(sole_use)
    process.kill()
    await process.wait()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
async def test_a_server_that_does_not_answer_is_a_sentence(database: str, engine: AsyncEngine) -> None:
    gone = open_engine(database.replace(f":{engine.url.port}/", ":1/"))
    with pytest.raises(StorageTrouble, match="does not answer"):
        await take_sole_use(gone)


async def _break(engine: AsyncEngine) -> None:
    """End the connection that holds the lock, as a restart of the server does."""
    query = text(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory'"
        " AND ((classid::bigint << 32) | objid::bigint) = :key"
    )
    async with engine.begin() as connection:
        assert await connection.scalar(query, {"key": ADVISORY_KEY})
