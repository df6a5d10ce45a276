# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the settings say, as the values that desk and storage are given."""

from desk.config import DeskConfig
from desk.context import Workplace
from helproom.config import databases
from helproom.config.credentials import SecretUnusable, read_master_key
from helproom.config.settings import Settings
from helproom.world import real_world
from storage.engine.connect import open_engine
from storage.sealing.vault import MASTER_KEY_BYTES, Vault
from storage.unit import Units


def desk_config(settings: Settings) -> DeskConfig:
    """Return how the desk is set up."""
    admins = frozenset(settings.operators.admins)
    return DeskConfig(
        queues=tuple(section.to_desk() for section in settings.queues),
        agents=frozenset(settings.agents) | admins,
        admins=admins,
        shifts=tuple(section.to_desk() for section in settings.shifts),
        intake=settings.mail.to_desk(),
        replies=settings.replies.to_desk(),
        rooms=settings.rooms.to_desk(),
        tracker_url=settings.redmine.url if settings.redmine else "",
    )


def queue_addresses(settings: Settings) -> dict[str, str]:
    """Return the queues' names by their addresses, for the doors of `mail`."""
    return {queue.address: queue.name for queue in settings.queues}


def database_url(settings: Settings) -> str:
    """Return the database's URL with its password, if it has one. Raises SecretUnusable."""
    url = settings.database or databases.sqlite_url(settings.data_dir / databases.FILE)
    if settings.database_password_file is None:
        return url
    try:
        return databases.with_password(url, settings.database_password_file.read_text())
    except ValueError:
        raise SecretUnusable("The database URL names no user, so its password belongs to nobody.") from None


def open_units(settings: Settings) -> Units:
    """Return the database, not connected yet, with the vault that opens its seals. Raises SecretUnusable."""
    vault = Vault(read_master_key(settings.master_key_file, MASTER_KEY_BYTES))
    return Units(open_engine(database_url(settings)), vault)


def open_place(settings: Settings) -> Workplace:
    """Return all that a part of the desk is given, the database not connected yet. Raises SecretUnusable."""
    return Workplace(open_units(settings), real_world(), desk_config(settings))
