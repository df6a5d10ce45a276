# SPDX-License-Identifier: AGPL-3.0-or-later
"""Database engines that last for the whole run: each new one would compile every statement anew."""

import asyncio
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from storage.engine.connect import open_engine
from storage.migrating import migrate
from tests.services.postgres import Cluster

_engines: dict[str, AsyncEngine] = {}
_shaped: set[str] = set()


async def engine_at(address: str) -> AsyncEngine:
    """Return the engine of a database that has its tables; whoever is done with it disposes of it."""
    engine = _engines.get(address) or open_engine(address)
    if address in _shaped:
        _engines[address] = engine
    else:
        await migrate(engine)
    return engine


class ShapedFile:
    """A SQLite database with all tables, at the same place for each test."""

    def __init__(self, folder: Path) -> None:
        self._template = folder / "template.db"
        self._file = folder / "helproom.db"
        self.address = f"sqlite+aiosqlite:///{self._file}"
        _shape(f"sqlite+aiosqlite:///{self._template}")
        _shaped.add(self.address)

    def empty(self) -> str:
        """Make it as new, and return its address."""
        for ending in ("-wal", "-shm"):
            self._file.with_name(self._file.name + ending).unlink(missing_ok=True)
        shutil.copy(self._template, self._file)
        return self.address


class ShapedCluster:
    """A PostgreSQL database with all tables."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.address = cluster.fresh()
        _shape(self.address)
        _shaped.add(self.address)

    def empty(self) -> str:
        """Make it as new, and return its address."""
        self._cluster.empty(self.address)
        return self.address


def _shape(address: str) -> None:
    async def shape() -> None:
        engine = open_engine(address)
        await migrate(engine)
        await engine.dispose()

    with ThreadPoolExecutor(1) as thread:  # this one's loop is the test's
        thread.submit(asyncio.run, shape()).result()
