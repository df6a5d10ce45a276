# SPDX-License-Identifier: AGPL-3.0-or-later
"""The unit of work: one event, one mail, one job is one transaction, opened and committed at the edge."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from storage.engine import sqlite_driver
from storage.engine.same_file import SameFile
from storage.engine.sqlite_driver import OneTripConnection
from storage.queries.contacts import Keys, Pins
from storage.queries.facts import Facts
from storage.queries.files import Enclosures
from storage.queries.journal import Journal
from storage.queries.left_in_mailbox import OutsideLetters
from storage.queries.letters import Letters
from storage.queries.messages import Messages
from storage.queries.outbox import OutboxRows
from storage.queries.problems import Problems
from storage.queries.rooms import Rooms
from storage.queries.templates import Templates
from storage.queries.tickets import Tickets
from storage.sealing.vault import Vault

BUSY_TIMEOUT_MS = 10_000
_PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": 2,
    "foreign_keys": 1,
    "secure_delete": 1,
    "busy_timeout": BUSY_TIMEOUT_MS,
    "trusted_schema": 0,
}


_DATA_EXCEPTION = "22"
"""The class of SQLSTATE (ISO/IEC 9075) that says so."""


class StorageTrouble(Exception):
    """The database cannot be used as it is; the text is a sentence for the sysadmin."""


class Bells:
    """Wake-up calls for whoever waits for committed work."""

    def __init__(self) -> None:
        self.letters = asyncio.Event()
        self.outbox = asyncio.Event()
        self.journal = asyncio.Event()
        self.holds = asyncio.Event()
        self.rooms = asyncio.Event()
        self.unreadable = asyncio.Event()


Bell = Literal["letters", "outbox", "journal", "holds", "rooms", "unreadable"]


class Unit:
    """One transaction with its named queries, by noun."""

    def __init__(self, session: AsyncSession, vault: Vault) -> None:
        self.session = session
        self.vault = vault
        self.rung: set[Bell] = set()

    def ring(self, bell: Bell) -> None:
        """Wake whoever waits for this, once the unit is committed."""
        self.rung.add(bell)

    async def flush(self) -> None:
        """Send pending rows to the database, so that they have their ids."""
        await self.session.flush()

    @cached_property
    def tickets(self) -> Tickets:
        return Tickets(self.session, self.vault)

    @cached_property
    def messages(self) -> Messages:
        return Messages(self.session, self.vault)

    @cached_property
    def enclosures(self) -> Enclosures:
        return Enclosures(self.session)

    @cached_property
    def letters(self) -> Letters:
        return Letters(self.session, self.vault)

    @cached_property
    def outside(self) -> OutsideLetters:
        return OutsideLetters(self.session, self.vault)

    @cached_property
    def outbox(self) -> OutboxRows:
        return OutboxRows(self.session, self.vault)

    @cached_property
    def journal(self) -> Journal:
        return Journal(self.session, self.vault)

    @cached_property
    def rooms(self) -> Rooms:
        return Rooms(self.session, self.vault)

    @cached_property
    def keys(self) -> Keys:
        return Keys(self.session, self.vault)

    @cached_property
    def pins(self) -> Pins:
        return Pins(self.session)

    @cached_property
    def templates(self) -> Templates:
        return Templates(self.session)

    @cached_property
    def problems(self) -> Problems:
        return Problems(self.session)

    @cached_property
    def facts(self) -> Facts:
        return Facts(self.session)


class Units:
    """Opens units: `async with units() as unit:` commits at the end of the block, or rolls back."""

    def __init__(self, engine: AsyncEngine, vault: Vault) -> None:
        self.engine = engine
        self.vault = vault
        self.bells = Bells()
        self._sessions = async_sessionmaker(engine, expire_on_commit=False, info={"vault": vault})

    @contextlib.asynccontextmanager
    async def __call__(self) -> AsyncIterator[Unit]:
        """Open one transaction; on SQLite it holds the write lock from the start (BEGIN IMMEDIATE).

        Raises StorageTrouble when the database cannot do its work, as when it is locked, full or gone.
        """
        try:
            async with self._sessions.begin() as session:
                unit = Unit(session, self.vault)
                yield unit
        except (IntegrityError, DataError, ProgrammingError):
            raise
        except (DBAPIError, PoolTimeout) as error:
            if _is_ours(error):
                raise
            raise StorageTrouble(trouble_of(error)) from error
        except ConnectionError as error:
            raise StorageTrouble("The database does not answer: nobody listens there.") from error
        self._ring(unit)

    def _ring(self, unit: Unit) -> None:
        for noun in ("letters", "outbox", "journal"):
            queries = unit.__dict__.get(noun)
            if queries is not None and queries.added:
                getattr(self.bells, noun).set()
        for bell in unit.rung:
            getattr(self.bells, bell).set()

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()


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


def _is_ours(error: SQLAlchemyError) -> bool:
    """Tell whether a value that we gave is to blame: asyncpg's errors on data come as any other does."""
    origin = getattr(error, "orig", None)
    return str(getattr(origin, "sqlstate", None) or "").startswith(_DATA_EXCEPTION)


_TROUBLES = {
    "locked": "The database is locked by another process.",
    "is full": "The disk that holds the database is full.",
    "No space left": "The disk that holds the database is full.",
    "readonly": "The database cannot be written: is its disk mounted read-only?",
    "unable to open": "The database file cannot be opened.",
    "password authentication failed": "The database does not accept the user or the password.",
    "does not exist": "The database server has no database, or no user, of this name.",
}


def trouble_of(error: SQLAlchemyError) -> str:
    """Return a sentence on a database error, without SQL and without values."""
    cause = str(error.__cause__ or error).splitlines()[0] if str(error.__cause__ or error) else ""
    for words, sentence in _TROUBLES.items():
        if words in cause:
            return sentence
    return f"The database does not answer ({type(error.__cause__ or error).__name__})."
