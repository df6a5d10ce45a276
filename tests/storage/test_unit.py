# SPDX-License-Identifier: AGPL-3.0-or-later
"""Units commit or leave no trace; the database has the shape that the models say."""

import asyncio
import contextlib
import datetime as dt
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.engine.connect import open_engine
from storage.engine.troubles import StorageTrouble
from storage.migrating import Shape, migrate, shape_of
from storage.models import Base, Event, EventState, Fact
from storage.sealing.vault import Vault, new_master_key
from storage.unit import Units
from tests.worlds.desk import MONDAY_NOON, Desk


@pytest.fixture(name="engine")
async def make_engine(database: str) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(database)
    yield engine
    await engine.dispose()


def _differences(connection: Connection) -> list:
    options = {"compare_type": True, "compare_server_default": True}
    return compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)


async def test_migrations_make_what_the_models_say_and_may_run_twice(engine: AsyncEngine):
    assert await shape_of(engine) is Shape.EMPTY
    for _ in range(2):
        await migrate(engine)
    assert await shape_of(engine) is Shape.CURRENT
    async with engine.connect() as connection:
        assert await connection.run_sync(_differences) == []


async def test_a_newer_database_is_refused_with_a_sentence_and_left_alone(engine: AsyncEngine):
    await migrate(engine)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for act in (migrate, shape_of):
        with pytest.raises(StorageTrouble, match=r"newer than this Helproom \(revision 9999\)"):
            await act(engine)
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar() == "9999"


async def test_on_sqlite_every_connection_has_the_pragmas(tmp_path: Path):
    engine = open_engine(f"sqlite:///{tmp_path / 'helproom.db'}")
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}
    for _ in range(2):
        async with engine.connect() as connection:
            for name, value in wanted.items():
                assert (await connection.execute(text(f"PRAGMA {name}"))).scalar() == value
        await engine.dispose()


async def test_a_locked_database_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("storage.engine.connect._PRAGMAS", {"busy_timeout": 10})
    engine = open_engine(f"sqlite:///{tmp_path / 'helproom.db'}")
    await migrate(engine)
    other = sqlite3.connect(tmp_path / "helproom.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageTrouble, match=r"^The database is locked by another process\.$"):
        async with Units(engine, Vault(new_master_key()))() as unit:
            await unit.facts.set("a", "b")
    other.close()
    await engine.dispose()


@pytest.mark.parametrize(
    ("pragma", "sentence"), [("max_page_count = 1", "is full"), ("query_only = 1", "mounted read-only")]
)
async def test_a_disk_that_takes_nothing_is_a_sentence(tmp_path: Path, pragma: str, sentence: str):
    engine = open_engine(f"sqlite:///{tmp_path / 'helproom.db'}")
    await migrate(engine)
    units = Units(engine, Vault(new_master_key()))
    async with units() as unit:
        await unit._session.execute(text(f"PRAGMA {pragma}"))
    with pytest.raises(StorageTrouble, match=sentence):
        async with units() as unit:
            await unit.facts.set("a", "b" * 1_000_000)
    await engine.dispose()


async def test_what_a_failed_unit_did_is_gone_and_rings_no_bell(desk: Desk):
    desk.units.wake_ups.journal.clear()
    event = Event(event_id="$1", room_id="!en", state=EventState.NEW, heard_at=MONDAY_NOON)
    with contextlib.suppress(ZeroDivisionError):
        async with desk.units() as unit:
            await unit.facts.set("token", "s1")
            await unit.journal.add(event, "content", sender="@a:b")
            await unit.flush()
            _ = 1 / 0
    assert not desk.units.wake_ups.journal.is_set()
    async with desk.units() as unit:
        assert await unit.facts.get("token") is None
        assert await unit.journal.next_new() is None


async def test_an_event_is_journalled_once_and_the_bell_rings_after_the_commit(desk: Desk):
    for expected in (True, False):
        async with desk.units() as unit:
            event = Event(event_id="$1", room_id="!en", state=EventState.NEW, heard_at=MONDAY_NOON)
            assert await unit.journal.add(event, "content", sender="@a:b") is expected
            assert desk.units.wake_ups.journal.is_set() is not expected
    async with desk.units() as unit:
        assert (await unit.journal.next_new()).content == "content"


async def test_an_unreadable_event_takes_its_content_and_its_turn_later(desk: Desk):
    async with desk.units() as unit:
        event = Event(event_id="$1", room_id="!en", state=EventState.UNDECRYPTABLE, heard_at=MONDAY_NOON)
        await unit.journal.add(event, "", sender="@a:b")
    async with desk.units() as unit:
        assert await unit.journal.next_new() is None
        event = Event(event_id="$1", room_id="!en", state=EventState.NEW, heard_at=MONDAY_NOON)
        assert await unit.journal.add(event, "content", sender="@a:b")
    async with desk.units() as unit:
        assert (await unit.journal.next_new()).content == "content"


async def test_events_with_ids_of_the_greatest_length_and_one_beginning_are_both_kept(desk: Desk):
    async with desk.units() as unit:
        for end in ("a", "b"):
            event = Event(
                event_id="$" + "x" * 250 + end,
                room_id="!en",
                state=EventState.NEW,
                heard_at=MONDAY_NOON,
            )
            assert await unit.journal.add(event, "content", sender="@a:b")
            await unit.flush()


async def test_times_without_zone_are_refused_and_others_come_back_as_utc(desk: Desk):
    await desk.ticket(opened_at=MONDAY_NOON.astimezone(dt.timezone(dt.timedelta(hours=5))))
    opened_at = (await desk.look(1)).opened_at
    assert opened_at == MONDAY_NOON
    assert opened_at.utcoffset() == dt.timedelta()
    with pytest.raises(StatementError, match="times are aware UTC"):
        await desk.ticket(opened_at=MONDAY_NOON.replace(tzinfo=None))


async def test_a_fact_is_replaced(desk: Desk):
    for value in ("s1", "s2"):
        async with desk.units() as unit:
            await unit.facts.set("token", value)
    async with desk.units() as unit:
        assert await unit.facts.get("token") == "s2"
        assert (await unit._session.get(Fact, "token")).value == "s2"


async def test_a_value_that_no_database_can_hold_is_no_trouble_of_the_database(desk: Desk):
    """It would be tried again for ever."""
    if desk.units.engine.dialect.name == "sqlite":
        pytest.skip("SQLite holds any text")
    with pytest.raises(DBAPIError):
        async with desk.units() as unit:
            await unit.facts.set("a", "b\0")


async def test_of_units_that_wait_for_each_other_one_is_in_trouble_and_can_begin_anew(desk: Desk):
    """On SQLite they never meet: each has the database for itself."""
    numbers = [await desk.ticket(), await desk.ticket()]
    both_at_once = desk.units.engine.dialect.name == "postgresql"
    meeting = asyncio.Barrier(2)
    troubles: list[str] = []

    async def lock(first: int, second: int) -> None:
        async with desk.units() as unit:
            assert await unit.tickets.get(first, lock=True)
            if both_at_once and not troubles:
                await meeting.wait()
            assert await unit.tickets.get(second, lock=True)

    async def insist(first: int, second: int) -> None:
        try:
            await lock(first, second)
        except StorageTrouble as trouble:
            troubles.append(str(trouble))
            await lock(first, second)

    await asyncio.gather(insist(*numbers), insist(*reversed(numbers)))
    assert len(troubles) == both_at_once
