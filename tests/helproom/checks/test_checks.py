# SPDX-License-Identifier: AGPL-3.0-or-later
"""Single checks beside the services they ask."""

import base64
import datetime as dt
import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bot.identity.session import BotAccount, Credential, open_session
from desk.delivery.delivery import LIMITED
from helproom.checks.database import check_database
from helproom.checks.findings import CheckState
from helproom.checks.folders import strangers_in
from helproom.checks.limit import check_limit
from helproom.checks.machine import check_code
from helproom.checks.openpgp import check_openpgp
from helproom.checks.servers import check_redmine
from helproom.cli.exit_codes import explain
from helproom.config import for_desk
from helproom.config.credentials import Secret
from helproom.config.settings import Settings, read_settings
from helproom.demo.homeserver import Homeserver
from storage.migrating import migrate
from storage.models import Room, RoomPurpose, RoomState
from tests.helproom.configs import write_config
from tests.services.postgres import Cluster
from tests.services.redmine import Redmine


def with_redmine(folder: Path, url: str, key: str) -> Settings:
    """A config that names this Redmine."""
    file = folder / "redmine.key"
    file.touch(mode=0o600)
    file.write_text(key)
    section = f"redmine: {{url: '{url}', api_key_file: redmine.key}}\ndata_dir: data"
    return read_settings(write_config(folder, "data_dir: data", section))


@pytest.mark.parametrize(
    ("key", "state"), [(Redmine.desk_key, CheckState.OK), ("c" * 40, CheckState.PROBLEM)]
)
async def test_redmine_is_asked_who_we_are(
    tmp_path: Path, redmine: Redmine, key: str, state: CheckState
) -> None:
    [finding] = [found async for found in check_redmine(with_redmine(tmp_path, redmine.url, key))]
    assert finding.state is state


async def test_a_redmine_that_is_away_is_told(tmp_path: Path) -> None:
    [finding] = [
        found async for found in check_redmine(with_redmine(tmp_path, "http://127.0.0.1:9", "c" * 40))
    ]
    assert (finding.state, finding.sentence) == (CheckState.PROBLEM, "Redmine does not answer.")


def with_postgres(folder: Path, url: str, *, password: str | None = None, key: bytes = bytes(32)) -> Settings:
    """A config that names this database."""
    parts = urlsplit(url)
    for name, secret in (("p", password or parts.password or ""), ("k", base64.b64encode(key).decode())):
        file = folder / name
        file.touch(mode=0o600)
        file.write_text(secret)
    where = f"postgresql://{parts.username}@{parts.hostname}:{parts.port}{parts.path}"
    lines = f"database: {where}\ndatabase_password_file: p\ndata_dir: data\nmaster_key_file: k\n"
    return read_settings(write_config(folder, "data_dir: data\nmaster_key_file: secrets/master.key\n", lines))


async def test_a_postgresql_database_is_looked_at(tmp_path: Path, postgres: Cluster) -> None:
    settings = with_postgres(tmp_path, postgres.fresh())
    [empty] = [found async for found in check_database(settings)]
    assert (empty.state, empty.sentence) == (CheckState.WARNING, "It is empty: `helproom run` prepares it.")
    units = for_desk.open_units(settings)
    await migrate(units.engine)
    async with units() as unit:
        row = Room(ref="r", purpose=RoomPurpose.OPERATORS, queue=None, ticket_id=None, state=RoomState.OPEN)
        await unit.rooms.add(row)
    await units.close()
    [ready] = [found async for found in check_database(settings)]
    assert (ready.state, ready.sentence) == (CheckState.OK, "It answers and has the right shape.")
    (tmp_path / "k").write_text(base64.b64encode(bytes(range(32))).decode())
    [sealed] = [found async for found in check_database(settings)]
    assert sealed.state is CheckState.PROBLEM
    assert sealed.sentence.startswith("The master key does not open it")


@pytest.mark.parametrize(
    ("path", "password", "sentence"),
    [
        ("/nowhere", None, "no database, or no user, of this name"),
        ("", "hunter2", "does not accept the user"),
    ],
)
async def test_a_database_that_does_not_let_us_in_is_told(
    tmp_path: Path, postgres: Cluster, path: str, password: str | None, sentence: str
) -> None:
    url = urlsplit(postgres.fresh())
    settings = with_postgres(tmp_path, url._replace(path=path or url.path).geturl(), password=password)
    with pytest.raises(Exception, match=r"^The database") as caught:
        [found async for found in check_database(settings)]
    trouble = explain(caught.value)
    assert trouble is not None
    assert sentence in trouble.sentence
    assert "hunter2" not in trouble.sentence


async def test_a_database_that_is_away_is_told(tmp_path: Path) -> None:
    settings = with_postgres(tmp_path, "postgresql://a:b@127.0.0.1:9/a")
    with pytest.raises(Exception, match=r"^The database does not answer") as caught:
        [found async for found in check_database(settings)]
    assert explain(caught.value) is not None


async def test_the_folders_of_the_code_lie_side_by_side(tmp_path: Path) -> None:
    settings = read_settings(write_config(tmp_path))
    [finding] = [found async for found in check_code(settings)]
    assert finding.state is CheckState.OK


def modes(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mode for path in folder.rglob("*")}


@pytest.fixture
def at_home(tmp_path: Path) -> Settings:
    """A config whose GnuPG home is there, with a file in it."""
    settings = read_settings(write_config(tmp_path))
    settings.mail.gnupg_home.mkdir(mode=0o700)
    (settings.mail.gnupg_home / "mine").touch(mode=0o600)
    return settings


async def test_a_gnupg_home_that_others_may_enter_is_told_and_left_as_it_is(
    tmp_path: Path, at_home: Settings
) -> None:
    home = at_home.mail.gnupg_home
    home.chmod(0o750)
    before = modes(tmp_path)
    [finding] = [found async for found in check_openpgp(at_home)]
    assert finding.state is CheckState.PROBLEM
    assert finding.sentence == f"Others than its owner may enter {home}: chmod 700 {home}"
    assert modes(tmp_path) == before


async def test_a_gnupg_home_that_is_not_ours_is_told(
    at_home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = at_home.mail.gnupg_home
    assert strangers_in(home) is None
    somebody = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: somebody)
    [finding] = [found async for found in check_openpgp(at_home)]
    assert finding.sentence.startswith(f"{home} belongs to another user: run Helproom and this check")
    assert strangers_in(home) == f"{home}/mine belongs to another user: chown -R {somebody} {home}"


async def test_a_gnupg_home_that_is_missing_is_told(tmp_path: Path) -> None:
    settings = read_settings(write_config(tmp_path))
    [finding] = [found async for found in check_openpgp(settings)]
    home = settings.mail.gnupg_home
    assert finding.sentence == f"{home} does not exist: mkdir -m 700 {home}"


def with_homeserver(folder: Path, synapse: Homeserver, bot: str, token: str | None = None) -> Settings:
    """A config of a bot on this homeserver, with an admin's token or without."""
    settings = read_settings(write_config(folder, "data_dir: data", "data_dir: data"))
    where = settings.matrix.model_copy(update={"homeserver": synapse.url, "user_id": bot})
    if token is not None:
        file = folder / "admin.token"
        file.touch(mode=0o600)
        file.write_text(token)
        where = where.model_copy(update={"admin_token_file": Secret(file)})
    return settings.model_copy(update={"matrix": where})


async def told_of_limit(settings: Settings) -> tuple[CheckState, str]:
    [finding] = [found async for found in check_limit(settings)]
    return finding.state, finding.sentence


async def test_an_admin_s_token_lifts_the_limit_of_the_bot_s_account(
    tmp_path: Path, synapse: Homeserver
) -> None:
    bot = synapse.register("limited", "test-only")
    tokens = []
    for name, admin in (("its-admin", True), ("no-admin", False)):
        synapse.register(name, "test-only", admin=admin)
        account = BotAccount(synapse.url, name, tmp_path / name)
        session = await open_session(account, Credential(password="test-only"))
        tokens.append(session.client.access_token)
        await session.close()
    assert await told_of_limit(with_homeserver(tmp_path, synapse, bot, tokens[1])) == (
        CheckState.PROBLEM,
        "The token in matrix.admin_token_file is not that of an admin of the homeserver.",
    )
    lifted = [await told_of_limit(with_homeserver(tmp_path, synapse, bot, tokens[0])) for _ in range(2)]
    assert [state for state, _ in lifted] == [CheckState.OK] * 2
    assert lifted[0][1].endswith("the admin's token has lifted it.")
    assert lifted[1][1] == "The homeserver does not limit the bot's account."


async def test_without_a_token_it_is_told_how_the_limit_is_lifted(
    tmp_path: Path, synapse: Homeserver
) -> None:
    settings = with_homeserver(tmp_path, synapse, "@bot:helproom.test")
    state, sentence = await told_of_limit(settings)
    assert state is CheckState.OK
    assert f"{synapse.url}/_synapse/admin/v1/users/@bot:helproom.test/override_ratelimit" in sentence
    for folder in (settings.data_dir, tmp_path / "secrets"):
        folder.mkdir(parents=True, exist_ok=True)
    key = tmp_path / "secrets" / "master.key"
    key.touch(mode=0o600)
    key.write_text(base64.b64encode(bytes(32)).decode())
    units = for_desk.open_units(settings)
    await migrate(units.engine)
    async with units() as unit:
        await unit.facts.set(LIMITED, dt.datetime.now(dt.UTC).isoformat())
    await units.close()
    state, sentence = await told_of_limit(settings)
    assert state is CheckState.WARNING
    assert "answers to people go first" in sentence
    assert "matrix.admin_token_file" in sentence
