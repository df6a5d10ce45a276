# SPDX-License-Identifier: AGPL-3.0-or-later
"""The main job on PostgreSQL, with its password in a file of its own."""

from pathlib import Path
from urllib.parse import urlsplit

from tests.services.postgres import PASSWORD, Cluster
from tests.services.synapse import Homeserver
from tests.stories.test_main_job import do_the_main_job
from tests.worlds.matrix import Plan, running_desk


async def test_the_main_job_is_done_on_postgresql(
    tmp_path: Path, synapse: Homeserver, postgres: Cluster
) -> None:
    at = urlsplit(postgres.fresh())
    lines = (
        f"database: postgresql://{at.username}@{at.hostname}:{at.port}{at.path}",
        "database_password_file: database.password\n",
    )
    plan = Plan(tmp_path, synapse, more="\n".join(lines), secrets={"database.password": PASSWORD})
    async with running_desk(plan) as desk:
        await do_the_main_job(desk)
        assert desk.running.desk.units.engine.dialect.name == "postgresql"
        async with desk.running.desk.units() as unit:
            assert await unit.tickets.get(1) is not None
    assert not (tmp_path / "data" / "helproom.db").exists()
