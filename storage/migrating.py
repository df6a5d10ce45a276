# SPDX-License-Identifier: AGPL-3.0-or-later
"""Brings the database to the shape this code wants, and tells when it is newer than the code."""

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.unit import StorageTrouble, trouble_of


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


def _check(connection: Connection) -> None:
    scripts = ScriptDirectory.from_config(_config())
    found = MigrationContext.configure(connection).get_current_revision()
    if found == scripts.get_current_head():
        return
    if found is None:
        raise StorageTrouble("The database is empty: `helproom migrate` or `helproom run` prepares it.")
    if _known(scripts, found):
        raise StorageTrouble("The database is older than this Helproom: `helproom migrate` brings it up.")
    raise _newer(found)


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


async def check_revision(engine: AsyncEngine) -> None:
    """Return when the database has the newest revision; changes nothing.

    Raises StorageTrouble with a sentence as `migrate` does, and when the database is older or empty.
    """
    await _in_transaction(engine, _check)


async def _in_transaction(engine: AsyncEngine, work: Callable[[Connection], None]) -> None:
    try:
        async with engine.begin() as connection:
            await connection.run_sync(work)
    except SQLAlchemyError as error:
        raise StorageTrouble(trouble_of(error)) from None
    except OSError as error:
        raise StorageTrouble(
            f"The database does not answer: {error.strerror or type(error).__name__}."
        ) from None
