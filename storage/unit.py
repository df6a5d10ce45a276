# SPDX-License-Identifier: AGPL-3.0-or-later
"""The unit of work: one event, one mail, one job is one transaction, opened and committed at the edge."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import cached_property
from typing import Literal

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from storage.engine.troubles import StorageTrouble, trouble_of
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

_DATA_EXCEPTION = "22"
"""The class of SQLSTATE (ISO/IEC 9075) that says so."""


class WakeUps:
    """Wake-up calls for whoever waits for committed work."""

    def __init__(self) -> None:
        self.letters = asyncio.Event()
        self.outbox = asyncio.Event()
        self.journal = asyncio.Event()
        self.holds = asyncio.Event()
        self.rooms = asyncio.Event()
        self.unreadable = asyncio.Event()


WakeUp = Literal["letters", "outbox", "journal", "holds", "rooms", "unreadable"]


class Unit:
    """One transaction with its named queries, by noun."""

    def __init__(self, session: AsyncSession, vault: Vault) -> None:
        self.session = session
        self.vault = vault
        self.rung: set[WakeUp] = set()

    def ring(self, bell: WakeUp) -> None:
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
    def enclosures(self) -> OutgoingFiles:
        return OutgoingFiles(self.session)

    @cached_property
    def letters(self) -> Letters:
        return Letters(self.session, self.vault)

    @cached_property
    def outside(self) -> LeftLetters:
        return LeftLetters(self.session, self.vault)

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
        self.bells = WakeUps()
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


def _is_ours(error: SQLAlchemyError) -> bool:
    """Tell whether a value that we gave is to blame: asyncpg's errors on data come as any other does."""
    origin = getattr(error, "orig", None)
    return str(getattr(origin, "sqlstate", None) or "").startswith(_DATA_EXCEPTION)
