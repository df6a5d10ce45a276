# SPDX-License-Identifier: AGPL-3.0-or-later
"""A process that fetches is killed with -9 wherever it hurts; each letter is kept once and none is left."""

import base64
import signal
import subprocess
import sys
from pathlib import Path

from helproom.config import for_desk
from helproom.config.settings import Settings, read_settings
from storage.migrating import migrate
from tests.helproom.configs import write_config
from tests.mail import fetch_program
from tests.mail.mailboxes import another_client, letter, lies_in
from tests.services import postgres
from tests.services.mailhost import PASSWORD, USER, Dovecot

ROOT = Path(__file__).parents[3]
LETTERS = 6


def write_desk(folder: Path, dovecot: Dovecot, database: str) -> Path:
    """Write a config with one IMAP mailbox."""
    for name, secret in (("imap", PASSWORD), ("key", base64.b64encode(b"k" * 32).decode())):
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(secret)
    server = f"host: 127.0.0.1, port: {dovecot.imaps}, ca_file: {dovecot.certificate.file}"
    mail = f"mail:\n  imap: [{{name: main, {server}, user: {USER}, password_file: imap}}]\n"
    config = write_config(folder, "mail:\n", _database(folder, database) + mail)
    config.write_text(config.read_text().replace("secrets/master.key", "key"))
    (folder / "data").mkdir(mode=0o700)
    return config


def _database(folder: Path, address: str) -> str:
    """Return the lines that name a database; SQLite's is in the data folder if none does."""
    if address.startswith("sqlite"):
        return ""
    secret = folder / "database"
    secret.touch(mode=0o600)
    secret.write_text(postgres.PASSWORD)
    bare = address.replace("+asyncpg", "").replace(f":{postgres.PASSWORD}@", "@")
    return f"database: {bare}\ndatabase_password_file: database\n"


def fetch(config: Path, step: str, count: int) -> int:
    """Run the process to its end, which may be its own kill."""
    command = [sys.executable, "-m", "tests.mail.fetch_program", str(config), step, str(count)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False).returncode


async def kept(settings: Settings) -> int:
    """Return how many letters the database has."""
    units = for_desk.open_units(settings)
    async with units() as unit:
        counts = await unit.letters.counts()
    await units.close()
    return sum(counts.values())


async def test_kills_lose_and_double_nothing(database: str, tmp_path: Path) -> None:
    with Dovecot() as dovecot:
        config = write_desk(tmp_path, dovecot, database)
        settings = read_settings(config)
        units = for_desk.open_units(settings)
        await migrate(units.engine)
        await units.close()
        subjects = [f"letter {number}" for number in range(LETTERS)]
        with another_client(dovecot) as client:
            for subject in subjects:
                client.append("INBOX", letter(subject, to="help@example.org"))
        for step in fetch_program.STEPS:
            assert fetch(config, step, 2) == -signal.SIGKILL
            there = {*lies_in(dovecot, "INBOX"), *lies_in(dovecot, "Processed")}
            assert there == set(subjects)
            assert await kept(settings) >= len(lies_in(dovecot, "Processed"))
        assert fetch(config, "never", 1) == 0
        assert sorted(lies_in(dovecot, "Processed")) == subjects
        assert lies_in(dovecot, "INBOX") == {}
        assert await kept(settings) == LETTERS
