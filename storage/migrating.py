# SPDX-License-Identifier: AGPL-3.0-or-later
"""Brings the database to the shape this code wants, and tells when it is newer than the code."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.unit import StorageTrouble, trouble_of

T = TypeVar("T")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def _upgrade(connection: Connection) -> None:
    scripts = ScriptDirectory.from_config(_config())
    found = MigrationContext.configure(connection).get_current_revision()
    if found == scripts.get_current_head():
        return
    if found is not None and not _known(scripts, found):
        raise _newer(found)
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _known(scripts: ScriptDirectory, revision: str) -> bool:
    try:
        return scripts.get_revision(revision) is not None
    except CommandError:
        return False


class Shape(StrEnum):
    """How a database compares with what this code wants."""

    CURRENT = "current"
    EMPTY = "empty"
    OLDER = "older"


def _shape(connection: Connection) -> Shape:
    scripts = ScriptDirectory.from_config(_config())
    found = MigrationContext.configure(connection).get_current_revision()
    if found is None:
        return Shape.EMPTY
    if not _known(scripts, found):
        raise _newer(found)
    return Shape.CURRENT if found == scripts.get_current_head() else Shape.OLDER


def _newer(found: str) -> StorageTrouble:
    return StorageTrouble(
        f"The database is newer than this Helproom (revision {found}): install the newer version, "
        "or restore a backup from before the upgrade."
    )


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
