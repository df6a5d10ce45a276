# SPDX-License-Identifier: AGPL-3.0-or-later
"""`helproom pins`: changed Matrix identities, for when no admin has a device that may command."""

import argparse
import asyncio
import os
from collections.abc import Awaitable, Callable

from desk.agents import identities
from desk.context import Work
from helproom import logs
from helproom.cli.terminal import say
from helproom.config import for_desk
from helproom.config.settings import find_config, read_settings
from helproom.startup.masterkey import refuse_other_master_key
from helproom.world import real_world
from storage.migrating import migrate

_WHEN = (
    "A running Helproom does it within half a minute and says so in the operators' room; else the next start."
)


def list_pins(asked: argparse.Namespace) -> int:
    """Show all pinned identities."""
    say(_in_unit(asked, lambda work: identities.listed(work.unit)))
    return os.EX_OK


def accept_pin(asked: argparse.Namespace) -> int:
    """Have a changed identity accepted. Raises Refusal."""
    say(_in_unit(asked, lambda work: identities.accept(work, asked.user)))
    say(_WHEN)
    return os.EX_OK


def drop_pin(asked: argparse.Namespace) -> int:
    """Have an identity forgotten. Raises Refusal."""
    say(_in_unit(asked, lambda work: identities.drop(work, asked.user)))
    say(_WHEN)
    return os.EX_OK


def _in_unit(asked: argparse.Namespace, decide: Callable[[Work], Awaitable[str]]) -> str:
    settings = read_settings(find_config(asked.config))
    logs.set_up(settings.log)
    os.umask(0o077)

    async def done() -> str:
        units = for_desk.open_units(settings)
        try:
            await migrate(units.engine)
            await refuse_other_master_key(units)
            async with units() as unit:
                return await decide(Work(unit, real_world(), for_desk.desk_config(settings)))
        finally:
            await units.close()

    return asyncio.run(done())
