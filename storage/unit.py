# SPDX-License-Identifier: AGPL-3.0-or-later
"""The unit of work: one event, one mail, one job is one transaction, opened and committed at the edge."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection
from typing import Generic, TypeVar

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from storage.engine.troubles import StorageTrouble, trouble_of
from storage.queries.accounting import Accounting
from storage.queries.base import Queries, Transaction, WakeUp
from storage.queries.contacts import Keys, Pins
from storage.queries.facts import Facts
from storage.queries.files import OutgoingFiles
from storage.queries.journal import Journal
from storage.queries.left_in_mailbox import LeftLetters
from storage.queries.letters import Letters
from storage.queries.messages import Messages
from storage.queries.outbox import OutboxRows
from storage.queries.problems import Problems
from storage.queries.rooms import Rooms
from storage.queries.templates import Templates
from storage.queries.tickets import Tickets
from storage.sealing.vault import Vault
from storage.search.changes import WatchedSession, changed_tickets
from storage.search.index import SearchIndex

Q = TypeVar("Q", bound=Queries)
_DATA_EXCEPTION = "22"
"""The class of SQLSTATE (ISO/IEC 9075) that says so."""


class WakeUps:
    """Wake-up calls in this process for whoever waits for committed work."""

    def __init__(self) -> None:
        self.letters = asyncio.Event()
        self.outbox = asyncio.Event()
        self.journal = asyncio.Event()
        self.holds = asyncio.Event()
        self.rooms = asyncio.Event()
        self.unreadable = asyncio.Event()
        self.search = asyncio.Event()


class _Noun(Generic[Q]):
    """The queries of one noun, made when a unit first asks for them."""

    def __init__(self, queries: type[Q]) -> None:
        self._queries = queries

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, unit: "Unit", owner: type) -> Q:
        # From then on the attribute of this name is found before this is asked.
        queries = unit.__dict__[self._name] = self._queries(unit._transaction)  # noqa: SLF001 - a part of Unit
        return queries


class Unit:
    """One transaction with its named queries, by noun."""

    accounting = _Noun(Accounting)
    enclosures = _Noun(OutgoingFiles)
    facts = _Noun(Facts)
    journal = _Noun(Journal)
    keys = _Noun(Keys)
    letters = _Noun(Letters)
    messages = _Noun(Messages)
    outbox = _Noun(OutboxRows)
    outside = _Noun(LeftLetters)
    pins = _Noun(Pins)
    problems = _Noun(Problems)
    rooms = _Noun(Rooms)
    templates = _Noun(Templates)
    tickets = _Noun(Tickets)

    def __init__(self, session: AsyncSession, vault: Vault, search: SearchIndex) -> None:
        self._session = session
        self._transaction = Transaction(session, vault)
        self.vault = vault
        self.search = search
        """What can be found; it is no part of the transaction, and learns of it after the commit."""

    def wake(self, whom: WakeUp) -> None:
        """Wake whoever waits for this, once the unit is committed."""
        self._transaction.woken.add(whom)

    @property
    def woken(self) -> Collection[WakeUp]:
        """Who is woken once the unit is committed."""
        return self._transaction.woken

    async def flush(self) -> None:
        """Send pending rows to the database, so that they have their ids."""
        await self._session.flush()


class Units:
    """Opens units: `async with units() as unit:` commits at the end of the block, or rolls back."""

    def __init__(self, engine: AsyncEngine, vault: Vault) -> None:
        self.engine = engine
        self.vault = vault
        self.wake_ups = WakeUps()
        self.search = SearchIndex()
        self._sessions = async_sessionmaker(
            engine, expire_on_commit=False, info={"vault": vault}, sync_session_class=WatchedSession
        )

    @contextlib.asynccontextmanager
    async def __call__(self) -> AsyncIterator[Unit]:
        """Open one transaction; on SQLite it holds the write lock from the start (BEGIN IMMEDIATE).

        Raises StorageTrouble when the database cannot do its work, as when it is locked, full or gone.
        """
        try:
            async with self._sessions.begin() as session:
                unit = Unit(session, self.vault, self.search)
                yield unit
        except (IntegrityError, DataError, ProgrammingError):
            raise
        except (DBAPIError, PoolTimeout) as error:
            if _is_ours(error):
                raise
            raise StorageTrouble(trouble_of(error)) from error
        except ConnectionError as error:
            raise StorageTrouble("The database does not answer: nobody listens there.") from error
        if changed := changed_tickets(session.sync_session):
            self.search.note_changed(changed)
            self.wake_ups.search.set()
        self._wake(unit.woken)

    def _wake(self, woken: Collection[WakeUp]) -> None:
        """The one place where work that was committed is told of."""
        for whom in woken:
            getattr(self.wake_ups, whom).set()

    async def close(self) -> None:
        """Close all connections, and forget what could be found."""
        await self.search.close()
        await self.engine.dispose()


def _is_ours(error: SQLAlchemyError) -> bool:
    """Tell whether a value that we gave is to blame: asyncpg's errors on data come as any other does."""
    origin = getattr(error, "orig", None)
    return str(getattr(origin, "sqlstate", None) or "").startswith(_DATA_EXCEPTION)
