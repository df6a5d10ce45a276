# SPDX-License-Identifier: AGPL-3.0-or-later
"""SQLite in its thread, with one trip there for each statement instead of four."""

from collections.abc import Callable, Iterable
from contextlib import closing
from functools import partial
from typing import Any, Self

import aiosqlite

Parameters = Iterable[Any]


class OneTripCursor:
    """Runs a statement, fetches all of its rows and lets go of it while it is in the thread.

    The part of a cursor that SQLAlchemy's adapter for asynchronous drivers uses.
    """

    def __init__(self, connection: "OneTripConnection") -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.arraysize = 1
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, sql: str, parameters: Parameters = ()) -> Self:
        """Run one statement."""
        await self._connection.run(partial(self._run, "execute", sql, parameters))
        return self

    async def executemany(self, sql: str, parameters: Iterable[Parameters]) -> Self:
        """Run one statement with each of the parameters."""
        await self._connection.run(partial(self._run, "executemany", sql, parameters))
        return self

    def _run(self, method: str, sql: str, parameters: Iterable[Any]) -> None:
        with closing(self._connection.bare_cursor()) as cursor:
            getattr(cursor, method)(sql, parameters)
            self._rows = cursor.fetchall() if cursor.description else []
            self.description = cursor.description
            self.rowcount = cursor.rowcount
            self.lastrowid = cursor.lastrowid

    async def fetchall(self) -> list[Any]:
        """Return the rows, which have been here since the statement was run."""
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        """Do nothing: SQLite's own cursor is closed already."""


class OneTripConnection(aiosqlite.Connection):
    """A connection whose cursors spare trips to its thread."""

    def __del__(self) -> None:
        """End the thread: SQLAlchemy lets go of a connection unclosed where its opening was cancelled."""
        if self._connection is not None:
            self.stop()

    after_commit: Callable[[], None] = staticmethod(lambda: None)
    """Raises what a commit is to fail with though it went through."""

    async def commit(self) -> None:
        """Commit, and raise what `after_commit` raises."""
        await super().commit()
        self.after_commit()

    def cursor(self) -> Any:
        """Return a cursor; nothing happens in the thread yet."""
        return OneTripCursor(self)

    def bare_cursor(self) -> Any:
        """Return SQLite's own cursor; to be called in the connection's thread."""
        return self._conn.cursor()

    async def run(self, work: Callable[[], None]) -> None:
        """Run a statement: in the connection's thread where it may wait for a lock or the disk, else at once.

        In a transaction that began with BEGIN IMMEDIATE nobody else holds the lock, and a statement takes
        less time than the way to the thread and back.
        """
        if self._conn.in_transaction:
            work()
        else:
            await self._execute(work)  # type: ignore[no-untyped-call]


async def connect(connector: Callable[[], Any]) -> OneTripConnection:
    """Open a connection in a thread of its own, which does not keep the process alive."""
    connection = OneTripConnection(connector, iter_chunk_size=64)
    connection._thread.daemon = True  # noqa: SLF001 - as SQLAlchemy does with its own
    return await connection  # type: ignore[return-value]  # it returns itself
