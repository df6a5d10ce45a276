# SPDX-License-Identifier: AGPL-3.0-or-later
"""Brings the database to the shape this code wants, and tells when it is newer than the code."""

from collections.abc import Callable
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.engine.troubles import StorageTrouble, trouble_of

T = TypeVar("T")


_VERSIONS = Path(__file__).parent / "migrations" / "versions"


def revisions() -> tuple[str, ...]:
    """Return the revisions this code knows, oldest first: the files' names begin with them."""
    return tuple(sorted(file.name.partition("_")[0] for file in _VERSIONS.glob("[0-9]*_*.py")))


def _found(connection: Connection) -> str | None:
    """Return the database's revision; None for one that is empty. Raises StorageTrouble when it is newer."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if found is not None and found not in revisions():
        raise StorageTrouble(
            f"The database is newer than this Helproom (revision {found}): install the newer version, "
            "or restore a backup from before the upgrade."
        )
    return found


def _upgrade(connection: Connection) -> None:
    if _found(connection) != revisions()[-1]:
        import_module("storage.upgrading").upgrade(connection)


class Shape(StrEnum):
    """How a database compares with what this code wants."""

    CURRENT = "current"
    EMPTY = "empty"
    OLDER = "older"


def _shape(connection: Connection) -> Shape:
    found = _found(connection)
    if found is None:
        return Shape.EMPTY
    return Shape.CURRENT if found == revisions()[-1] else Shape.OLDER


async def migrate(engine: AsyncEngine) -> None:
    """Upgrade the database to the newest revision, in one transaction.

    Raises StorageTrouble with a sentence when it cannot be opened, is locked, or is newer than the code.
    """
    await _in_transaction(engine, _upgrade)


async def shape_of(engine: AsyncEngine) -> Shape:
    """Return how the database compares with this code. Raises StorageTrouble as `migrate` does."""
    return await _in_transaction(engine, _shape)


async def _in_transaction(engine: AsyncEngine, work: Callable[[Connection], T]) -> T:
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(work)
    except SQLAlchemyError as error:
        raise StorageTrouble(trouble_of(error)) from None
    except OSError as error:
        raise StorageTrouble(
            f"The database does not answer: {error.strerror or type(error).__name__}."
        ) from None
