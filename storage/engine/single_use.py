# SPDX-License-Identifier: AGPL-3.0-or-later
"""One process at a time works on a database: two would each command, announce and answer."""

import asyncio
import contextlib
import fcntl
import os
from pathlib import Path
from typing import Protocol

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from storage.engine.same_file import SameFile
from storage.engine.troubles import StorageTrouble, trouble_of

log = structlog.get_logger()

IN_USE = "Another Helproom works on this database already: stop it first."
ADVISORY_KEY = int.from_bytes(b"helproom")
"""The number of the advisory lock; PostgreSQL counts them for each database by itself."""
PATIENCE_SECONDS = 3.0
"""How long a server may take to notice that the process before this one is gone."""
LOOK_AGAIN_SECONDS = 0.2
WATCH_SECONDS = 5.0
_KEEPALIVES = {"tcp_keepalives_idle": 10, "tcp_keepalives_interval": 5, "tcp_keepalives_count": 3}
"""A machine that lost its power holds the lock for half a minute, not for the two hours of TCP."""


class DatabaseInUse(Exception):
    """Another process works on this database; the text is a sentence for the sysadmin."""

    exit_code = os.EX_TEMPFAIL


class SoleUse(Protocol):
    """The right to work on a database; it ends with `close` and with the process, however that ends."""

    async def check(self) -> None:
        """See whether the right still stands and take it again if it fell.

        Raises DatabaseInUse, or StorageTrouble while the database does not answer.
        """

    async def close(self) -> None:
        """Give the right back."""


async def take_sole_use(engine: AsyncEngine) -> SoleUse:
    """Take the right to work on the engine's database, before anything is written to it.

    Raises DatabaseInUse when another process has it, and StorageTrouble when it cannot be asked for.
    """
    if engine.dialect.name == "sqlite":
        return _FileLock(Path(engine.url.database or ""))
    lock = _AdvisoryLock(engine)
    await lock.take(PATIENCE_SECONDS)
    return lock


async def watch(sole_use: SoleUse) -> None:
    """Look for ever whether the right still stands; raises what `check` raises."""
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        await sole_use.check()


class _FileLock:
    """For SQLite: a file beside the database, as SQLite's own locks must not be touched."""

    def __init__(self, database: Path) -> None:
        real = database.resolve()
        try:
            self._file = os.open(real.with_name(f"{real.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StorageTrouble(f"The database's lock file cannot be opened: {error.strerror}.") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise DatabaseInUse(IN_USE) from None
        self._database = SameFile(database)
        self._trouble: str | None = None

    async def check(self) -> None:
        """Say it once when the database's file is gone, and when it is back; nobody takes the lock away.

        It raises nothing: after a restart there would be a new, empty database.
        """
        self._database.opened()
        self._database.closed()
        before, self._trouble = self._trouble, self._database.trouble()
        if self._trouble and self._trouble != before:
            log.error("database.lost", trouble=self._trouble)
        elif before and not self._trouble:
            log.warning("database.back")

    async def close(self) -> None:
        os.close(self._file)


class _AdvisoryLock:
    """For PostgreSQL: an advisory lock, held by a connection of its own for as long as that lives.

    It falls when the server restarts. Until the next `check`, another process may have taken it and work
    beside this one for at most WATCH_SECONDS.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._connection: AsyncConnection | None = None

    async def take(self, patience: float) -> None:
        deadline = asyncio.get_running_loop().time() + patience
        while not await self._try():
            if asyncio.get_running_loop().time() > deadline:
                raise DatabaseInUse(IN_USE)
            await asyncio.sleep(LOOK_AGAIN_SECONDS)

    async def _try(self) -> bool:
        connection = await self._connect()
        try:
            for name, value in _KEEPALIVES.items():
                await connection.execute(text(f"SET {name} = {value}"))
            taken = await connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": ADVISORY_KEY})
        except (SQLAlchemyError, OSError) as error:
            await _drop(connection)
            raise _trouble(error) from None
        if not taken:
            await _drop(connection)
            return False
        self._connection = connection
        return True

    async def _connect(self) -> AsyncConnection:
        try:
            connection = await self._engine.connect()
            return await connection.execution_options(isolation_level="AUTOCOMMIT")
        except (SQLAlchemyError, OSError) as error:
            raise _trouble(error) from None

    async def check(self) -> None:
        if self._connection is not None:
            try:
                async with asyncio.timeout(WATCH_SECONDS):
                    await self._connection.execute(text("SELECT 1"))
            except (SQLAlchemyError, OSError):
                await self.close()
        if self._connection is None:
            await self.take(0.0)

    async def close(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await _drop(connection)


async def _drop(connection: AsyncConnection) -> None:
    """Close for good: back in the pool it would keep the lock."""
    with contextlib.suppress(SQLAlchemyError, OSError):
        await connection.invalidate()
    with contextlib.suppress(SQLAlchemyError, OSError):
        await connection.close()


def _trouble(error: SQLAlchemyError | OSError) -> StorageTrouble:
    if isinstance(error, SQLAlchemyError):
        return StorageTrouble(trouble_of(error))
    return StorageTrouble(f"The database does not answer: {error.strerror or type(error).__name__}.")
