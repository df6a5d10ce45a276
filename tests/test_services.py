# SPDX-License-Identifier: AGPL-3.0-or-later
"""The test services themselves: what the other tests take for granted."""

import http.client
import json
from pathlib import Path

import asyncpg
import pytest
import redminelib

from tests.services.postgres import Cluster
from tests.services.redmine import Redmine
from tests.services.synapse import Homeserver, HomeserverError, lay_site


def log_in(homeserver: Homeserver, user: str, password: str) -> int:
    """Log in by password and return the status code."""
    connection = http.client.HTTPConnection("127.0.0.1", homeserver.port, timeout=30)
    identifier = {"type": "m.id.user", "user": user}
    body = {"type": "m.login.password", "identifier": identifier, "password": password}
    connection.request("POST", "/_matrix/client/v3/login", json.dumps(body))
    status = connection.getresponse().status
    connection.close()
    return status


def test_an_account_is_registered_once(synapse: Homeserver) -> None:
    assert synapse.register("once", "test-only") == f"@once:{synapse.server_name}"
    with pytest.raises(HomeserverError, match="M_USER_IN_USE"):
        synapse.register("once", "test-only")


def test_a_killed_homeserver_comes_back_with_its_accounts_and_its_limits(tmp_path: Path) -> None:
    with Homeserver(lay_site(tmp_path, throttled=True)) as homeserver:
        homeserver.register("alice", "test-only")
        homeserver.kill()
        assert not homeserver.running
        homeserver.start()
        assert log_in(homeserver, "alice", "test-only") == 200
        assert 429 in [log_in(homeserver, "alice", "test-only") for _ in range(5)]
    assert not homeserver.running


async def test_every_database_starts_empty(postgres: Cluster) -> None:
    address = postgres.fresh().replace("+asyncpg", "")
    connection = await asyncpg.connect(address)
    await connection.execute("CREATE TABLE letter (id integer)")
    await connection.close()
    for target, tables in ((address, 1), (postgres.fresh().replace("+asyncpg", ""), 0)):
        connection = await asyncpg.connect(target)
        assert (
            await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == tables
        )
        await connection.close()


def test_a_database_address_names_its_kind(database: str, request: pytest.FixtureRequest) -> None:
    assert database.startswith(request.node.callspec.params["database"])


def test_redmine_shows_its_issues_and_comes_back_with_what_was_changed(redmine: Redmine) -> None:
    desk = redminelib.Redmine(redmine.url, key=redmine.desk_key)
    admin = redminelib.Redmine(redmine.url, key=redmine.admin_key)
    assert [issue.id for issue in desk.issue.filter(status_id="*", sort="id")][:3] == [1, 2, 3]
    assert desk.issue.get(1).fixed_version.name == "Tails_7.1"
    admin.issue.update(3, notes="seen")
    redmine.stop()
    with pytest.raises(OSError, match="refused"):
        desk.issue.get(3)
    redmine.start()
    assert [entry.notes for entry in admin.issue.get(3, include=["journals"]).journals] == ["seen"]
