# SPDX-License-Identifier: AGPL-3.0-or-later
"""`helproom keys` as a sysadmin types it: what is said, and how it ends."""

import asyncio
import base64
import datetime as dt
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from helproom import logs
from helproom.__main__ import main
from helproom.checks.database import check_database
from helproom.checks.findings import CheckState
from helproom.config import for_desk
from helproom.config.settings import read_settings
from helproom.world import real_world
from mail.openpgp.keyring import read_public_key
from storage.models import KeyState
from storage.sealing.vault import address_tag
from tests.helproom.rooms import make_operators_room
from tests.mail.people import Person, person

KIM = "kim@example.net"


@pytest.fixture(scope="module", name="pattern")
def make_pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A desk as init makes it, not to be changed."""
    folder = tmp_path_factory.mktemp("p") / "d"
    made = ["init", "--folder", str(folder), "--yes", "--domain", "example.org"]
    assert main([*made, "--queue", "en", "--queue", "de:hilfe@example.org"]) == 0
    return folder


@pytest.fixture(name="desk")
def make_desk(pattern: Path, tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "d"
    subprocess.run(["cp", "-a", pattern, folder], check=True)
    for name in ("matrix.password", "submission.password"):
        (folder / "secrets" / name).touch(mode=0o600)
        (folder / "secrets" / name).write_text("hunter2")
    yield folder
    subprocess.run(["gpgconf", "--homedir", str(folder / "gnupg"), "--kill", "all"], check=False)


@pytest.fixture(scope="module", name="kim")
def make_kim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    with person(KIM, tmp_path_factory.mktemp("keys") / "kim") as made:
        yield made


class Terminal:
    """Says `helproom keys ...` and reads the answer."""

    def __init__(self, desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.desk = desk
        self.capsys = capsys

    def keys(self, *arguments: str | Path) -> tuple[int, str, str]:
        self.capsys.readouterr()
        code = main(["keys", *map(str, arguments), "--config", str(self.desk / "config.yaml")])
        out, err = self.capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err


@pytest.fixture(name="terminal")
def make_terminal(
    desk: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Terminal:
    # It is for a whole process, and this one runs other tests, too.
    monkeypatch.setattr(logs, "set_up", lambda _settings: None)
    return Terminal(desk, capsys)


def file_of(folder: Path, content: bytes) -> Path:
    (folder / "key.asc").write_bytes(content)
    return folder / "key.asc"


def kept(desk: Path) -> list[tuple[str | None, KeyState]]:
    async def look() -> list[tuple[str | None, KeyState]]:
        units = for_desk.open_units(read_settings(desk / "config.yaml"))
        async with units() as unit:
            found = [
                (key.fingerprint, key.state) for key in await unit.keys.of(address_tag(units.vault, KIM))
            ]
        await units.close()
        return found

    return asyncio.run(look())


async def looked_at(desk: Path) -> list[CheckState]:
    """Return what `helproom check` finds of the database."""
    return [found.state async for found in check_database(read_settings(desk / "config.yaml"))]


def test_a_contacts_key_is_pinned_listed_and_refreshed(terminal: Terminal, tmp_path: Path) -> None:
    with person(KIM, tmp_path / "k") as kim, person(KIM, tmp_path / "l") as other:
        copies = [kim.public]
        kim.gpg("--quick-set-expire", kim.fingerprint, "3y")
        copies += [kim.gpg("--armor", "--export", kim.fingerprint), other.public, kim.public]
    for copy in copies:
        assert terminal.keys("import", file_of(tmp_path, copy), "--address", KIM)[::2] == (0, "")
    assert kept(terminal.desk) == [
        (kim.fingerprint, KeyState.PINNED),
        (other.fingerprint, KeyState.REPLACED),
    ]
    code, out, _ = terminal.keys("list", "--address", KIM.upper())
    assert code == 0
    assert "2 keys. State: pinned." in out
    longest = read_public_key(copies[1])
    assert longest.encrypts_until is not None
    assert f"Ed25519, made {longest.created:%Y-%m-%d}, expires {longest.encrypts_until:%Y-%m-%d}" in out
    assert "Keys of contacts: 2" in terminal.keys("list")[1]
    assert "No public key of this address" in terminal.keys("list", "--address", "x@example.net")[1]


def test_what_cannot_be_stored_is_told(terminal: Terminal, kim: Person, tmp_path: Path) -> None:
    public, secret = kim.public, kim.gpg("--armor", "--export-secret-keys")
    code, _, err = terminal.keys("import", file_of(tmp_path, public))
    assert (code, err) == (os.EX_DATAERR, "This is a public key: say whose it is, with --address.\n")
    code, _, err = terminal.keys("import", file_of(tmp_path, b""))
    assert (code, err) == (os.EX_DATAERR, "There is no complete OpenPGP block.\n")
    code, _, err = terminal.keys("import", file_of(tmp_path, secret), "--address", KIM)
    assert code == os.EX_DATAERR
    assert err.startswith("This is a secret key.")
    code, _, err = terminal.keys("import", file_of(tmp_path, public), "--address", "x@example.net")
    assert (code, err.startswith("Note: the key does not name this address.")) == (0, True)
    kim.gpg("--quick-generate-key", "s@example.net", "ed25519", "sign", "1y")
    signs = kim.gpg("--armor", "--export", "s@example.net")
    assert terminal.keys("import", file_of(tmp_path, signs), "--address", KIM)[0] == os.EX_DATAERR


@pytest.mark.parametrize(
    "address", ["", " ", "kim", "@example.net", "kim@", f"Kim <{KIM}>", f"<{KIM}>", f"{KIM}, x@example.net"]
)
@pytest.mark.parametrize("action", ["import", "list", "forget"])
def test_what_is_no_bare_address_is_refused_and_nothing_is_stored_for_it(
    terminal: Terminal, kim: Person, tmp_path: Path, action: str, address: str
) -> None:
    words = [str(file_of(tmp_path, kim.public))] if action == "import" else []
    with pytest.raises(SystemExit) as ended:
        terminal.keys(action, *words, "--address", address)
    assert ended.value.code == os.EX_USAGE
    assert terminal.keys("list")[1].endswith("Keys of contacts: 0\n")


@pytest.mark.parametrize("address", ["kim@exämple.net", "kïm@example.net"])
def test_a_key_is_not_stored_for_an_address_to_which_no_answer_leaves(
    terminal: Terminal, kim: Person, tmp_path: Path, address: str
) -> None:
    code, _, err = terminal.keys("import", file_of(tmp_path, kim.public), "--address", address)
    assert (code, err.startswith("No answer can leave to this address")) == (os.EX_DATAERR, True)
    assert "No public key of this address" in terminal.keys("list", "--address", address)[1]


def test_an_address_may_be_written_with_capitals_signs_and_blanks_around(
    terminal: Terminal, kim: Person, tmp_path: Path
) -> None:
    for address in (f" {KIM.upper()} ", "kim+desk@example.net", "o'kim@example.net"):
        assert terminal.keys("import", file_of(tmp_path, kim.public), "--address", address)[0] == 0
        assert "State: pinned." in terminal.keys("list", "--address", address.strip())[1]


@pytest.mark.parametrize("knows", ["a room", "a key"])
def test_with_another_master_key_nothing_is_stored_or_denied(
    terminal: Terminal, kim: Person, tmp_path: Path, knows: str
) -> None:
    file = file_of(tmp_path, kim.public)
    if knows == "a key":
        assert terminal.keys("import", file, "--address", KIM)[0] == 0
    else:
        asyncio.run(make_operators_room(terminal.desk))
    (terminal.desk / "secrets" / "master.key").write_text(base64.b64encode(bytes(range(32))).decode())
    for asked in (["import", file], ["list"], ["forget"]):
        code, _, err = terminal.keys(*asked, "--address", KIM)
        assert (code, err.startswith("The master key does not open the database")) == (os.EX_CONFIG, True)
    assert asyncio.run(looked_at(terminal.desk)) == [CheckState.PROBLEM]


def test_a_secret_key_is_taken_in_for_older_letters_and_told_as_surplus(
    terminal: Terminal, tmp_path: Path
) -> None:
    with person("old@example.org", tmp_path / "o") as old:
        secret = old.gpg("--armor", "--export-secret-keys")
    code, out, _ = terminal.keys("import", file_of(tmp_path, secret))
    assert code == 0
    assert "to open older letters; no queue signs with it" in out
    assert "(no queue)  " in terminal.keys("list")[1]
    code, out, _ = terminal.keys("check")
    assert code == 0
    assert f"warning  OpenPGP key {old.fingerprint[-16:]}: No queue has this secret key." in out


def test_public_keys_are_written_for_publishing(terminal: Terminal) -> None:
    files = {name: (terminal.desk / "public-keys" / f"{name}.asc").read_text() for name in ("en", "de")}
    assert terminal.keys("export", "de")[:2] == (0, files["de"])
    assert terminal.keys("export")[:2] == (0, files["en"] + files["de"])
    assert terminal.keys("export", "fr")[0] == os.EX_DATAERR


def test_a_key_is_extended_by_queue_or_fingerprint(terminal: Terminal) -> None:
    fingerprint = read_settings(terminal.desk / "config.yaml").queues[1].fingerprint
    assert "valid until" in terminal.keys("expire", "en", "10d")[1]
    assert "expires on" in (warned := terminal.keys("check"))[1]
    assert warned[0] == 0
    assert "`helproom keys expire en 2y`" in warned[1]
    code, out, _ = terminal.keys("expire", fingerprint.lower(), "3y")
    assert code == 0
    assert "Publish it again" in out
    assert "expires on" not in terminal.keys("expire", "en", "2y")[1] + terminal.keys("check")[1]


@pytest.mark.parametrize(
    ("key", "period", "words"),
    [
        ("en", "0d", "Say for how long"),
        ("en", "2", "Say for how long"),
        ("en", "never", "Say for how long"),
        ("en", "21y", "A key can live for 20 years from now on"),
        ("en", "100y", "A key can live for 20 years from now on"),
        ("en", "1044w", "A key can live for 20 years from now on"),
        ("fr", "2y", "There is no queue “fr”"),
        ("0" * 40, "2y", "GnuPG did not extend the key"),
    ],
)
def test_what_cannot_be_extended_is_told(terminal: Terminal, key: str, period: str, words: str) -> None:
    code, _, err = terminal.keys("expire", key, period)
    assert (code, err.startswith(words)) == (os.EX_DATAERR, True)


def test_a_key_that_names_a_longer_address_does_not_name_the_queue_s(terminal: Terminal) -> None:
    assert "does not name the queue's address" not in terminal.keys("check")[1]
    config = terminal.desk / "config.yaml"
    config.write_text(config.read_text().replace('"help-en@example.org"', '"en@example.org"'))
    code, out, _ = terminal.keys("check")
    assert code == 0
    assert "warning  OpenPGP key of en: The key does not name the queue's address" in out


def test_a_key_lives_as_long_as_was_asked_for_up_to_the_longest(terminal: Terminal) -> None:
    for period in ("20y", "243m", "1042w", "7300d"):
        code, out, _ = terminal.keys("expire", "en", period)
        end = dt.date.fromisoformat(out.splitlines()[0].split()[-1].rstrip("."))
        assert code == 0
        assert 7285 < (end - real_world().now().date()).days < 7310


def test_check_fails_where_a_key_cannot_be_used(terminal: Terminal) -> None:
    (terminal.desk / "secrets" / "openpgp.passphrase").write_text("bm9ib2R5IGtub3dzIHRoaXMgcGFzc3BocmFzZQ==")
    code, out, _ = terminal.keys("check")
    assert code == os.EX_UNAVAILABLE
    assert "problem  OpenPGP key of en: " in out
    assert terminal.keys("expire", "en", "2y")[0] == os.EX_DATAERR
    (terminal.desk / "gnupg" / "pubring.kbx").unlink()
    code, out, _ = terminal.keys("list")
    assert out.count("not in gnupg_home") == 2


def test_a_contacts_keys_are_forgotten_and_that_stays_known(
    terminal: Terminal, kim: Person, tmp_path: Path
) -> None:
    file = file_of(tmp_path, kim.public)
    assert terminal.keys("import", file, "--address", KIM)[0] == 0
    assert terminal.keys("forget", "--address", KIM, "99999999")[0] != 0
    code, said, _ = terminal.keys("forget", "--address", "Kim@Example.net", kim.fingerprint[-8:])
    assert (code, said.startswith("Forgotten: 1 key. While no other key")) == (0, True)
    assert kept(terminal.desk) == []
    assert "were forgotten" in terminal.keys("list", "--address", KIM)[1]
    code, _, refused = terminal.keys("forget", "--address", KIM)
    assert code != 0
    assert "No public key of this address is known" in refused
