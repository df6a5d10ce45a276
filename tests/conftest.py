# SPDX-License-Identifier: AGPL-3.0-or-later
"""Services that tests may ask for by name; each starts at its first use."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from storage.migrating import migrate
from storage.unit import open_engine
from tests.services.postgres import Cluster
from tests.services.redmine import Redmine
from tests.services.synapse import Homeserver, lay_site

_USUAL_UMASK = 0o022

# A machine that is busy makes examples slowly; that says nothing of what is tested.
settings.register_profile("helproom", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("helproom")


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    """Begin each test, and each wider fixture after one, with Debian's umask.

    Opening a Matrix session narrows it for the whole process.
    """
    os.umask(_USUAL_UMASK)
    yield
    os.umask(_USUAL_UMASK)


@pytest.fixture(scope="session")
def synapse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Homeserver]:
    """A running Synapse, the same for all tests: use user names of your own."""
    with Homeserver(lay_site(tmp_path_factory.mktemp("synapse"))) as homeserver:
        yield homeserver


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A running PostgreSQL cluster; `fresh()` makes a database."""
    with Cluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def redmine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redmine]:
    """A running Redmine, the same for all tests."""
    with Redmine(tmp_path_factory.mktemp("redmine")) as tracker:
        yield tracker


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The SQLAlchemy address of an empty database, on both kinds in turn."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'helproom.db'}"
    cluster: Cluster = request.getfixturevalue("postgres")
    return cluster.fresh()


@pytest.fixture(scope="session")
def shaped_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with all tables and nothing in them, to be copied."""
    file = tmp_path_factory.mktemp("shaped") / "helproom.db"
    _shape(f"sqlite+aiosqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def shaped_address(postgres: Cluster) -> str:
    """The address of a PostgreSQL database with all tables, to be emptied."""
    address = postgres.fresh()
    _shape(address)
    return address


@pytest.fixture(params=["sqlite", "postgresql"])
def shaped(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database with all tables and nothing in them, on both kinds in turn."""
    if request.param == "sqlite":
        file = tmp_path / "helproom.db"
        shutil.copy(request.getfixturevalue("shaped_file"), file)
        return f"sqlite+aiosqlite:///{file}"
    address: str = request.getfixturevalue("shaped_address")
    cluster: Cluster = request.getfixturevalue("postgres")
    cluster.empty(address)
    return address


def _shape(address: str) -> None:
    async def shape() -> None:
        engine = open_engine(address)
        await migrate(engine)
        await engine.dispose()

    with ThreadPoolExecutor(1) as thread:  # this one's loop is the test's
        thread.submit(asyncio.run, shape()).result()
