# SPDX-License-Identifier: AGPL-3.0-or-later
"""The engine for a database URL, SQLite with its pragmas."""

import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from storage.engine import sqlite_driver
from storage.engine.same_file import SameFile
from storage.engine.sqlite_driver import OneTripConnection
from storage.engine.troubles import StorageTrouble

BUSY_TIMEOUT_MS = 10_000
_PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": 2,
    "foreign_keys": 1,
    "secure_delete": 1,
    "busy_timeout": BUSY_TIMEOUT_MS,
    "trusted_schema": 0,
}


def database_url(text: str) -> URL:
    """Return the URL with its asynchronous driver: a plain `sqlite:` or `postgresql:` URL gets ours."""
    url = make_url(text)
    drivers = {
        "sqlite": "sqlite+aiosqlite",
        "postgresql": "postgresql+asyncpg",
        "postgres": "postgresql+asyncpg",
    }
    return url.set(drivername=drivers.get(url.drivername, url.drivername))


def open_engine(text: str) -> AsyncEngine:
    """Make the engine for a database URL.

    SQLite gets one connection: its writers queue anyway, and here they queue fairly and without polling.
    """
    url = database_url(text)
    if url.get_backend_name() != "sqlite":
        return create_async_engine(url, hide_parameters=True, pool_pre_ping=True)

    file = SameFile(Path(url.database or ""))

    async def connect() -> OneTripConnection:
        file.closed()
        # SQLite would make a new file where the old one is missing.
        _refuse_lost(file)
        where, options = engine.dialect.create_connect_args(url)
        opened = await sqlite_driver.connect(partial(sqlite3.connect, *where, **options))
        # Before a commit, the file might still go while it is committed.
        opened.after_commit = partial(_refuse_lost, file)
        return opened

    def prepare(connection: Any, _record: object) -> None:
        _prepare_sqlite(connection)
        file.opened()

    def begin(connection: Connection) -> None:
        _refuse_lost(file)
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    engine = create_async_engine(
        url,
        async_creator=connect,
        hide_parameters=True,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=1,
        max_overflow=0,
    )
    event.listen(engine.sync_engine, "connect", prepare)
    event.listen(engine.sync_engine, "begin", begin)
    return engine


def _refuse_lost(file: SameFile) -> None:
    if trouble := file.trouble():
        raise StorageTrouble(trouble)


def _prepare_sqlite(connection: Any) -> None:
    """Set the pragmas and read them back; the driver must not open transactions by itself.

    The last look opens the write-ahead log.
    """
    connection.isolation_level = None
    cursor = connection.cursor()
    try:
        for name, wanted in _PRAGMAS.items():
            cursor.execute(f"PRAGMA {name} = {wanted}")
            cursor.execute(f"PRAGMA {name}")
            found = cursor.fetchone()[0]
            if found != wanted:
                raise StorageTrouble(f"SQLite does not take PRAGMA {name} = {wanted}; it says {found}.")
        cursor.execute("SELECT count(*) FROM sqlite_schema")
    finally:
        cursor.close()
