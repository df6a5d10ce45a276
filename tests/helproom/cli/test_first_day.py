# SPDX-License-Identifier: AGPL-3.0-or-later
"""The first day of a desk: init writes it, and check finds it in order with real servers around."""

import asyncio
import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from helproom.config.settings import read_settings
from helproom.demo.homeserver import free_port
from tests.helproom.cli.test_commands import change, give, helproom, make
from tests.services.mailserver import Catcher, MailAccount, make_certificate
from tests.services.synapse import Homeserver

PASSWORD = "hunter2"


async def check(folder: Path) -> tuple[int, list[dict[str, str]]]:
    """Run `helproom check` beside the servers of this process."""
    command = [sys.executable, "-m", "helproom", "check", "--json", "--config", str(folder / "config.yaml")]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = await process.communicate()
    assert b"Traceback" not in err
    assert PASSWORD.encode() not in out + err
    return process.returncode or 0, [json.loads(line) for line in out.splitlines()]


def states(found: list[dict[str, str]]) -> dict[str, str]:
    """The last state of each part."""
    return {finding["part"]: finding["state"] for finding in found}


@pytest.fixture
def folder(tmp_path: Path, synapse: Homeserver) -> Path:
    """A new desk whose bot has an account."""
    bot = synapse.register(f"first{free_port()}", PASSWORD)
    folder = tmp_path / "d"
    done = make(folder, "--homeserver", synapse.url, "--user-id", bot, "--submission-user", "desk")
    assert done.code == 0, done.err
    change(folder / "config.yaml", "127.0.0.1:2525", f"127.0.0.1:{free_port()}")
    give(folder, "matrix.password", PASSWORD)
    give(folder, "submission.password", PASSWORD)
    return folder


def use(folder: Path, catcher: Catcher, certificate: Path) -> None:
    """Let the desk send through this server."""
    change(
        folder / "config.yaml", '"mail.example.org"\n    port: 587', f'"localhost"\n    port: {catcher.port}'
    )
    change(folder / "config.yaml", "security: starttls", f"security: starttls\n    ca_file: {certificate}")


def logins(synapse: Homeserver, folder: Path) -> int:
    """How many devices the bot's account has."""
    bot = read_settings(folder / "config.yaml").matrix.user_id
    with contextlib.closing(sqlite3.connect(synapse.site.folder / "homeserver.db")) as database:
        query = "SELECT count(*) FROM devices WHERE user_id = ? AND NOT hidden"
        return int(database.execute(query, (bot,)).fetchone()[0])


async def test_what_init_writes_passes_the_check(folder: Path, tmp_path: Path, synapse: Homeserver) -> None:
    certificate = make_certificate(tmp_path)
    async with Catcher(tls=certificate.serve(), account=MailAccount("desk", PASSWORD)) as catcher:
        use(folder, catcher, certificate.file)
        code, found = await check(folder)
        assert (code, [finding for finding in found if finding["state"] == "problem"]) == (0, [])
        assert states(found)["room of en"] == "warning"
        assert states(found)["Matrix device"] == states(found)["answers out"] == "ok"
        assert catcher.caught == []
        again, _ = await check(folder)
    assert again == 0
    assert logins(synapse, folder) == 1, "of the account's making; the checks have logged out again"


async def test_wrong_passwords_are_told(folder: Path, tmp_path: Path) -> None:
    give(folder, "matrix.password", "wrong")
    give(folder, "submission.password", "wrong")
    certificate = make_certificate(tmp_path)
    async with Catcher(tls=certificate.serve(), account=MailAccount("desk", PASSWORD)) as catcher:
        use(folder, catcher, certificate.file)
        code, found = await check(folder)
    sentences = {finding["part"]: finding["sentence"] for finding in found if finding["state"] == "problem"}
    assert code == os.EX_UNAVAILABLE
    assert set(sentences) == {"Matrix", "answers out"}
    assert sentences["Matrix"].startswith("The homeserver refuses the login: is the password right")
    assert sentences["answers out"].startswith("The mail server cannot be used: 535")


async def test_a_certificate_that_is_not_trusted_is_told(folder: Path, tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    async with Catcher(tls=certificate.serve(), account=MailAccount("desk", PASSWORD)) as catcher:
        config = folder / "config.yaml"
        change(config, '"mail.example.org"\n    port: 587', f'"localhost"\n    port: {catcher.port}')
        _, found = await check(folder)
    assert states(found)["answers out"] == "problem"


def test_a_bot_that_nobody_knows_is_told(folder: Path) -> None:
    change(folder / "config.yaml", "@first", "@nobody")
    done = helproom("check", "--config", folder / "config.yaml")
    assert done.code == os.EX_UNAVAILABLE
    assert "FAIL Matrix: The homeserver refuses the login" in done.out
