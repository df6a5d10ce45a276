# SPDX-License-Identifier: AGPL-3.0-or-later
"""`helproom run` and `helproom migrate`."""

import argparse
import asyncio
import os
import signal
from importlib import import_module

from helproom import logs
from helproom.cli.terminal import say
from helproom.config import for_desk
from helproom.config.settings import find_config, read_settings
from storage.migrating import migrate as migrate_database
from storage.unit import Units


def run(asked: argparse.Namespace) -> int:
    """Run the help desk until it is told to stop."""
    # Closing the terminal must not stop a desk; the config is read at the start only.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    settings = read_settings(find_config(asked.config))
    logs.set_up(settings.log)
    os.umask(0o077)
    # Not at the top: `migrate` needs neither Matrix nor mail.
    wiring = import_module("helproom.wiring")
    asyncio.run(wiring.run(settings))
    return os.EX_OK


def migrate(asked: argparse.Namespace) -> int:
    """Bring the database to the newest revision."""
    settings = read_settings(find_config(asked.config))
    os.umask(0o077)
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    asyncio.run(_migrate(for_desk.open_units(settings)))
    say("The database schema is up to date.")
    return os.EX_OK


async def _migrate(units: Units) -> None:
    try:
        await migrate_database(units.engine)
    finally:
        await units.close()
