# SPDX-License-Identifier: AGPL-3.0-or-later
"""Brings the database to the shape this code wants, and tells when it is newer than the code."""

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
        raise StorageTrouble(
            f"The database is newer than this Helproom (revision {found}): install the newer version, "
            "or restore a backup from before the upgrade."
        )
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _known(scripts: ScriptDirectory, revision: str) -> bool:
    try:
        return scripts.get_revision(revision) is not None
    except CommandError:
        return False


async def migrate(engine: AsyncEngine) -> None:
    """Upgrade the database to the newest revision, in one transaction.

    Raises StorageTrouble with a sentence when it cannot be opened, is locked, or is newer than the code.
    """
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_upgrade)
    except SQLAlchemyError as error:
        raise StorageTrouble(trouble_of(error)) from None
    except OSError as error:
        raise StorageTrouble(
            f"The database does not answer: {error.strerror or type(error).__name__}."
        ) from None
