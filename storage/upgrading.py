# SPDX-License-Identifier: AGPL-3.0-or-later
"""Runs Alembic; a module of its own, as a desk whose database is up to date spares its 14 MB."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

FOLDER = Path(__file__).parent / "migrations"


def upgrade(connection: Connection) -> None:
    """Upgrade to the newest revision inside the connection's transaction."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
