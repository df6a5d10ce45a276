# SPDX-License-Identifier: AGPL-3.0-or-later
"""Services that tests may ask for by name; each starts at its first use."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.services.postgres import Cluster
from tests.services.redmine import Redmine
from tests.services.synapse import Homeserver, lay_site
from tests.times import pytest_collection_modifyitems, pytest_terminal_summary
from tests.worlds.desk import Desk, desk_at
from tests.worlds.engines import ShapedCluster, ShapedFile

__all__ = ["pytest_collection_modifyitems", "pytest_terminal_summary"]

_USUAL_UMASK = 0o022

# A machine that is busy makes examples slowly; that says nothing of what is tested.
settings.register_profile(
    "helproom",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
)
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
def shaped_file(tmp_path_factory: pytest.TempPathFactory) -> ShapedFile:
    """A SQLite database with all tables."""
    return ShapedFile(tmp_path_factory.mktemp("shaped"))


@pytest.fixture(scope="session")
def shaped_cluster(postgres: Cluster) -> ShapedCluster:
    """A PostgreSQL database with all tables."""
    return ShapedCluster(postgres)


@pytest.fixture(params=["sqlite", "postgresql"])
def shaped(request: pytest.FixtureRequest) -> str:
    """The address of a database with all tables and nothing in them, on both kinds in turn."""
    kind = "shaped_file" if request.param == "sqlite" else "shaped_cluster"
    database: ShapedFile | ShapedCluster = request.getfixturevalue(kind)
    return database.empty()


@pytest.fixture
async def desk(shaped: str) -> AsyncIterator[Desk]:
    """A furnished desk with rooms and agents, and no ticket yet."""
    async with desk_at(shaped) as opened:
        yield opened
