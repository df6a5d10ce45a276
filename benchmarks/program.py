# SPDX-License-Identifier: AGPL-3.0-or-later
"""`helproom run` as a process of its own."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from helproom.config.for_desk import open_units
from helproom.config.settings import Settings, read_settings
from mail.testing.smtp_server import Catcher
from storage.unit import Units
from tests.services.synapse import Homeserver
from tests.worlds.matrix import PASSWORD, Plan, write_desk

MEGABYTE = 1_000_000
START_SECONDS = 60
AS_MANY_AS_COME = "  rate: null\n"
"""The line of a desk's config that lets no letter wait for its turn."""


@dataclass(frozen=True)
class Program:
    """A desk that runs in a process of its own."""

    pid: int
    start_seconds: float
    """From its start to its word that it is ready."""

    @property
    def resident(self) -> float:
        """Resident memory in MB."""
        return psutil.Process(self.pid).memory_info().rss / MEGABYTE


@contextlib.asynccontextmanager
async def configured(plan: Plan) -> AsyncIterator[Path]:
    """Write a desk's config and register its accounts; nothing runs but a mail server that takes answers."""
    async with Catcher() as catcher:
        config = write_desk(plan, catcher.port)
        for name in ("bot", *plan.names):
            plan.homeserver.register(plan.user_id(name).partition(":")[0][1:], PASSWORD)
        yield config


@contextlib.asynccontextmanager
async def program(config: Path) -> AsyncIterator[Program]:
    """Run the desk for the time of the block."""
    log = config.parent / "log"
    start = time.perf_counter()
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "helproom", "--config", str(config), "run", stderr=errors
        )
    try:
        async with asyncio.timeout(START_SECONDS):
            while b'"ready"' not in log.read_bytes():
                if process.returncode is not None:
                    raise RuntimeError(log.read_text())
                await asyncio.sleep(0.01)
        yield Program(process.pid, time.perf_counter() - start)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


@contextlib.asynccontextmanager
async def database(config: Path) -> AsyncIterator[tuple[Settings, Units]]:
    """Open the desk's database while the desk does not run."""
    settings = read_settings(config)
    units = open_units(settings)
    try:
        yield settings, units
    finally:
        await units.close()


def plan(folder: Path, homeserver: Homeserver) -> Plan:
    """Plan a desk below `folder`."""
    home = folder / "desk"
    home.mkdir()
    return Plan(home, homeserver, names=("ana", "bob"), mail=AS_MANY_AS_COME)
