# SPDX-License-Identifier: AGPL-3.0-or-later
"""The console script as a program of its own: sentences, exit codes, never a traceback."""

import asyncio
import base64
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest

from helproom.config import for_desk
from helproom.config.settings import read_settings
from helproom.demo.homeserver import free_port
from storage.models import KeyState, LetterState
from storage.sealing.vault import address_tag
from tests.helproom.configs import write_config
from tests.helproom.rooms import make_operators_room
from tests.mail.people import person

LETTER = b"From: ana@example.net\r\nSubject: Hello\r\n\r\nhunter2\r\n"


@dataclass
class Done:
    """How the program ended."""

    code: int
    out: str
    err: str


def helproom(*arguments: str | Path, data: bytes | None = b"") -> Done:
    """Run `helproom` with these arguments; without `data` it has no standard input."""
    command = [sys.executable, "-m", "helproom", *map(str, arguments)]
    if data is None:
        command = ["sh", "-c", 'exec "$@" <&-', "sh", *command]
    done = subprocess.run(command, input=data, capture_output=True, check=False, timeout=120)
    ended = Done(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in ended.err
    assert "hunter2" not in ended.out + ended.err
    return ended


def make(folder: Path, *more: str) -> Done:
    """Run `helproom init` without questions."""
    return helproom("init", "--folder", folder, "--yes", "--domain", "example.org", *more)


def change(config: Path, old: str, new: str) -> None:
    """Replace a piece of a config."""
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new))


def give(folder: Path, name: str, secret: str) -> None:
    """Write a secret file of the new desk."""
    file = folder / "secrets" / name
    file.touch(mode=0o600)
    file.write_text(secret)


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A desk as init makes it, not to be changed."""
    folder = tmp_path_factory.mktemp("pattern") / "desk"
    done = make(folder, "--queue", "en", "--queue", "de:hilfe@example.org")
    assert done.code == 0, done.err
    return folder


@pytest.fixture
def desk(pattern: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of it with a database; its config listens and sends nowhere."""
    folder = tmp_path / "d"
    subprocess.run(["cp", "-a", pattern, folder], check=True)
    change(folder / "config.yaml", "127.0.0.1:2525", f"127.0.0.1:{free_port()}")
    change(folder / "config.yaml", "https://matrix.example.org", f"http://127.0.0.1:{free_port()}")
    change(
        folder / "config.yaml", '"mail.example.org"\n    port: 587', f'"127.0.0.1"\n    port: {free_port()}'
    )
    give(folder, "matrix.password", "hunter2")
    give(folder, "submission.password", "hunter2")
    assert helproom("migrate", "--config", folder / "config.yaml").code == 0
    yield folder
    subprocess.run(["gpgconf", "--homedir", str(folder / "gnupg"), "--kill", "all"], check=False)


def findings(folder: Path) -> tuple[int, dict[str, tuple[str, str]]]:
    """Run `helproom check` and return its exit code and, by part, the worst it found."""
    done = helproom("check", "--json", "--config", folder / "config.yaml")
    order = ["ok", "warning", "problem"]
    worst: dict[str, tuple[str, str]] = {}
    for line in done.out.splitlines():
        found = json.loads(line)
        before = worst.get(found["part"], ("ok", ""))
        if order.index(found["state"]) >= order.index(before[0]):
            worst[found["part"]] = (found["state"], found["sentence"])
    return done.code, worst


# check


def test_check_finds_unreachable_servers_and_a_missing_key(desk: Path) -> None:
    for file in (desk / "gnupg" / "private-keys-v1.d").iterdir():
        file.unlink()
    code, worst = findings(desk)
    assert code == os.EX_UNAVAILABLE
    assert worst["database"] == ("ok", "It answers and has the right shape.")
    assert worst["code"][0] == worst["data folder"][0] == worst["letters in"][0] == "ok"
    assert worst["OpenPGP key of en"][1].startswith("The secret key of this fingerprint is not in gnupg_home")
    assert worst["Matrix"][1].startswith("The homeserver does not answer.")
    assert worst["answers out"][1].startswith(
        "The mail server cannot be used: no connection to it can be made."
    )
    assert worst["Redmine"][0] == "ok"


def test_check_tells_a_wrong_passphrase(desk: Path) -> None:
    (desk / "secrets" / "openpgp.passphrase").write_text("bm9ib2R5IGtub3dzIHRoaXMgcGFzc3BocmFzZQ==")
    _, worst = findings(desk)
    assert worst["OpenPGP key of de"][0] == "problem"
    assert "Is the passphrase in mail.passphrase_file that of this key?" in worst["OpenPGP key of de"][1]


def test_check_tells_rights_that_are_too_wide(desk: Path) -> None:
    (desk / "data").chmod(0o750)
    (desk / "secrets" / "master.key").chmod(0o644)
    _, worst = findings(desk)
    assert "chmod 700" in worst["data folder"][1]
    assert "chmod 600" in worst["database"][1]


def test_check_tells_a_port_that_another_program_has(desk: Path) -> None:
    import socket  # noqa: PLC0415

    with socket.create_server(("127.0.0.1", 0)) as other:
        port = read_settings(desk / "config.yaml").mail.lmtp
        assert port is not None
        change(desk / "config.yaml", str(port.listen.port), str(other.getsockname()[1]))
        _, worst = findings(desk)
    assert worst["letters in"][1].startswith("Another program listens")


def test_check_tells_each_mistake_in_the_config(tmp_path: Path) -> None:
    done = helproom("check", "--config", write_config(tmp_path, "hold: 60s", "hodl: 60s"))
    assert done.code == os.EX_CONFIG
    assert "config.yaml:31: replies.hodl: There is no such key; did you mean hold?" in done.out


def test_check_tells_a_database_that_is_newer(desk: Path) -> None:
    with sqlite3.connect(desk / "data" / "helproom.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    _, worst = findings(desk)
    assert worst["database"][1].startswith("The database is newer than this Helproom (revision 9999)")
    done = helproom("migrate", "--config", desk / "config.yaml")
    assert done.code == os.EX_UNAVAILABLE
    assert done.err.startswith("The database is newer than this Helproom")


def test_a_locked_database_is_told(desk: Path) -> None:
    database = sqlite3.connect(desk / "data" / "helproom.db", isolation_level=None)
    database.execute("BEGIN EXCLUSIVE")
    done = helproom("migrate", "--config", desk / "config.yaml")
    database.close()
    assert done.code == os.EX_UNAVAILABLE
    assert done.err == "The database is locked by another process.\n"


# deliver


def deliver(desk: Path, recipient: str, data: bytes | None = LETTER) -> Done:
    """Hand a letter over as a mail server does; None closes the pipe before."""
    where = ("--config", desk / "config.yaml", "--recipient", recipient, "--sender", "ana@example.net")
    return helproom("deliver", *where, data=data)


async def letters_in(desk: Path) -> dict[LetterState, int]:
    """Count what is kept."""
    units = for_desk.open_units(read_settings(desk / "config.yaml"))
    async with units() as unit:
        counts = await unit.letters.counts()
    await units.close()
    return counts


def test_a_letter_from_a_pipe_is_kept_sealed(desk: Path) -> None:
    assert deliver(desk, "HILFE+token@example.org") == Done(0, "", "")
    assert asyncio.run(letters_in(desk)) == {LetterState.NEW: 1}
    for file in (desk / "data").iterdir():
        assert b"hunter2" not in file.read_bytes()


def test_letters_that_never_fit_are_refused(desk: Path) -> None:
    assert deliver(desk, "nobody@example.org").code == os.EX_NOUSER
    assert deliver(desk, "hilfe@example.org", b"").code == os.EX_DATAERR
    assert asyncio.run(letters_in(desk)) == {}


def test_whatever_is_wrong_with_us_lets_the_mail_server_try_later(desk: Path, tmp_path: Path) -> None:
    assert helproom("deliver", "--nonsense").code == os.EX_TEMPFAIL
    assert deliver(desk, "hilfe@example.org", None).err == "Standard input is closed: it holds no letter.\n"
    assert helproom("deliver", "--config", tmp_path / "none", "--recipient", "a", "--sender", "b").code == 75
    (desk / "secrets" / "master.key").unlink()
    assert deliver(desk, "hilfe@example.org").code == os.EX_TEMPFAIL


def test_a_letter_is_not_sealed_with_a_master_key_that_is_not_the_database_s(desk: Path) -> None:
    asyncio.run(make_operators_room(desk))
    file = desk / "secrets" / "master.key"
    right = file.read_text()
    file.write_text(base64.b64encode(bytes(range(32))).decode())
    refused = deliver(desk, "hilfe@example.org")
    assert (refused.code, refused.err.startswith("The master key does not open")) == (os.EX_TEMPFAIL, True)
    assert helproom("pins", "list", "--config", desk / "config.yaml").code == os.EX_CONFIG
    file.write_text(right)
    assert asyncio.run(letters_in(desk)) == {}


def test_a_database_without_tables_lets_the_mail_server_try_later(desk: Path) -> None:
    (desk / "data" / "helproom.db").unlink()
    assert deliver(desk, "hilfe@example.org").code == os.EX_TEMPFAIL


# keys


async def keys_of(desk: Path, address: str) -> list[tuple[str | None, KeyState, str]]:
    """Return what is kept for a contact."""
    units = for_desk.open_units(read_settings(desk / "config.yaml"))
    async with units() as unit:
        kept = await unit.keys.of(address_tag(units.vault, address))
        found = [(key.fingerprint, key.state, key.source) for key in kept]
    await units.close()
    return found


def test_a_contacts_key_is_stored_once_and_counted(desk: Path, tmp_path: Path) -> None:
    file = tmp_path / "ana.asc"
    with person("ana@example.net", tmp_path / "a") as ana:
        file.write_bytes(ana.public)
    config = ("--config", desk / "config.yaml")
    for _ in range(2):
        done = helproom("keys", "import", file, "--address", "Ana@example.net", *config)
        assert (done.code, done.err) == (0, "")
    assert asyncio.run(keys_of(desk, "ana@example.net")) == [(ana.fingerprint, KeyState.PINNED, "imported")]
    listing = helproom("keys", "list", *config)
    assert "hilfe@example.org" in listing.out
    assert "Keys of contacts: 1" in listing.out


def test_what_is_no_public_key_is_refused(desk: Path, tmp_path: Path) -> None:
    config = ("--config", desk / "config.yaml")
    file = tmp_path / "x"
    file.write_bytes(b"no key")
    assert helproom("keys", "import", file, "--address", "a@example.net", *config).code == os.EX_DATAERR
    done = helproom("keys", "import", tmp_path / "none", "--address", "a@example.net", *config)
    assert done.code == os.EX_OSERR
    assert done.err.startswith("The operating system says: No such file")


def test_a_queues_key_is_exported(desk: Path) -> None:
    config = ("--config", desk / "config.yaml")
    done = helproom("keys", "export", "de", *config)
    assert done.out.strip() == (desk / "public-keys" / "de.asc").read_text().strip()
    assert helproom("keys", "export", "fr", *config).code == os.EX_DATAERR


# the command line


@pytest.mark.parametrize("arguments", [(), ("fly",), ("keys",), ("check", "--nonsense")])
def test_wrong_usage_is_told(arguments: tuple[str, ...]) -> None:
    done = helproom(*arguments)
    assert done.code == os.EX_USAGE
    assert done.err.startswith("usage:")


def test_run_tells_a_broken_config(tmp_path: Path) -> None:
    done = helproom("run", "--config", tmp_path / "none.yaml")
    assert done.code == os.EX_CONFIG
    assert done.err.startswith(f"{tmp_path}/none.yaml: There is no such file.")


def test_what_run_makes_is_private(desk: Path) -> None:
    (desk / "data" / "helproom.db").unlink()
    assert helproom("run", "--config", desk / "config.yaml").code == os.EX_UNAVAILABLE
    assert (desk / "data" / "helproom.db").stat().st_mode & 0o777 == 0o600


def test_run_tells_another_master_key(desk: Path) -> None:
    first = helproom("run", "--config", desk / "config.yaml")
    assert first.err.startswith("The homeserver does not answer.")
    (desk / "secrets" / "master.key").write_text("A" * 43 + "=")
    done = helproom("run", "--config", desk / "config.yaml")
    assert (done.code, done.err.splitlines()[1:]) == (os.EX_CONFIG, [])
    assert done.err.startswith("The master key does not open the database: restore the key")


def test_run_tells_a_missing_key(desk: Path) -> None:
    kept = read_settings(desk / "config.yaml").queues[1].fingerprint
    change(desk / "config.yaml", kept, "A" * 40)
    done = helproom("run", "--config", desk / "config.yaml")
    assert (done.code, done.err.splitlines()[1:]) == (os.EX_CONFIG, [])
    assert done.err.startswith("The secret key of queue “de” is not in")


def test_run_tells_a_wrong_passphrase(desk: Path) -> None:
    (desk / "secrets" / "openpgp.passphrase").write_text("bm9ib2R5IGtub3dzIHRoaXMgcGFzc3BocmFzZQ==")
    done = helproom("run", "--config", desk / "config.yaml")
    assert (done.code, done.err.splitlines()[1:]) == (os.EX_UNAVAILABLE, [])
    assert "its passphrase is wrong or missing" in done.err


def test_the_version_is_told() -> None:
    done = helproom("--version")
    assert (done.code, done.out.split()[:2]) == (0, ["helproom", version("helproom")])


def test_no_command_leaves_a_core() -> None:
    code = "import os, resource; from helproom.__main__ import main; main(['inspect-mail', '/dev/null']); "
    done = subprocess.run(
        [sys.executable, "-c", f"{code}print(resource.getrlimit(resource.RLIMIT_CORE))"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "(0, 0)"


def test_light_commands_import_no_matrix() -> None:
    program = (
        "import sys, helproom.cli.deliver, helproom.cli.run, helproom.__main__\n"
        "print(sorted({'nio', 'redminelib', 'alembic.command', 'gnupg'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
