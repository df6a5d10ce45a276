# SPDX-License-Identifier: AGPL-3.0-or-later
"""`helproom inspect-mail` as a program of its own: its JSON, its exit codes, and the home it only reads."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from helproom.demo import demo
from mail.openpgp.borrowed import borrow
from mail.openpgp.keyring import Keyring
from mail.openpgp.packets import dearmor
from tests.mail.people import Person, encrypted, entity, headers, multipart, person, signed

PASSPHRASE = "correct-horse-battery-staple-0123456789"
STATES = {"none", "ok", "undecryptable", "broken", "partial"}
SIGNATURES = {"good", "good-other-sender", "unknown-key", "expired-key", "revoked-key", "bad", "partial"}
SCHEMA: dict[str, Any] = {
    "form": str,
    "encryption": {"state": STATES, "detail": str},
    "signatures": [{"state": SIGNATURES, "fingerprint": (str, type(None)), "covers": {"all", "part"}}],
    "headers": {"protected": bool, "subject": str, "outer_subject": str, "from": str, "mismatch": [str]},
    "text": str,
    "unprotected_text": str,
    "attachments": [{"name": str, "type": str, "size": int, "looks_like": str, "danger": str, "about": str}],
    "keys": [{"fingerprint": str, "source": {"autocrypt", "attached", "report"}}],
    "whisperback": (dict, type(None)),
    "automatic": {None, "auto-reply", "bounce", "list", "loop"},
    "language": (dict, type(None)),
    "problems": [str],
}


def assert_fits(value: Any, schema: Any) -> None:
    """More keys than the schema has are allowed, fewer are not."""
    if isinstance(schema, dict):
        for key, inner in schema.items():
            assert_fits(value[key], inner)
    elif isinstance(schema, list):
        assert isinstance(value, list)
        for item in value:
            assert_fits(item, schema[0])
    elif isinstance(schema, set):
        assert value in schema
    else:
        assert isinstance(value, schema)


@dataclass
class Home:
    """A GnuPG home with the desk's secret key and the public key of somebody who writes."""

    folder: Path
    passphrase: Path
    desk: bytes
    alice: Person

    def inspect(self, raw: bytes, *more: str | Path, code: int = 0) -> str:
        """Run the program on a mail and return what it wrote."""
        command = [sys.executable, "-m", "helproom", "inspect-mail", "-", *map(str, more)]
        environment = {**os.environ, "GNUPGHOME": "/nonexistent", "COLUMNS": "100"}
        done = subprocess.run(
            command, input=raw, capture_output=True, check=False, timeout=120, env=environment
        )
        assert b"Traceback" not in done.stderr
        assert done.returncode == code, done.stderr
        return done.stdout.decode()

    def describe(self, raw: bytes) -> dict[str, Any]:
        """Return the JSON for a mail, opened with this home."""
        out = self.inspect(raw, "--json", "--gnupghome", self.folder, "--passphrase-file", self.passphrase)
        found: dict[str, Any] = json.loads(out)
        assert_fits(found, SCHEMA)
        return found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    folder = tmp_path_factory.mktemp("gpg")
    passphrase = folder / "passphrase"
    passphrase.write_text(f"{PASSPHRASE}\n")
    keyring = Keyring(folder / "desk", passphrase=PASSPHRASE)
    try:
        desk = keyring.export_public_key(keyring.make_key("Help <help@desk.example>", expires=30))
    finally:
        keyring.close()
    with person("alice@user.example", folder / "alice") as alice:
        command = ["gpg", "--homedir", str(folder / "desk"), "--batch", "--quiet", "--import"]
        subprocess.run(command, input=alice.public, check=True, capture_output=True)
        subprocess.run(["gpgconf", "--homedir", str(folder / "desk"), "--kill", "all"], check=True)
        yield Home(folder / "desk", passphrase, desk, alice)


def traces(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return when each thing in a folder was changed, and what it holds."""
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in [folder, *folder.rglob("*")]
    }


def _encrypted(home: Home, *options: str) -> bytes:
    return encrypted(home.alice.encrypt(entity("secret words"), home.desk, *options))


def _mixed_up(home: Home) -> bytes:
    version = entity("Version: 1", type_="application/pgp-encrypted")
    data = home.alice.encrypt(entity("secret words"), home.desk).decode()
    return multipart("multipart/mixed", entity(""), version, entity(data, type_="application/octet-stream"))


Write = Callable[[Home], bytes]
FORMS: dict[str, tuple[Write, str, list[str]]] = {
    "plain": (lambda home: entity("words"), "none", []),
    "pgp/mime encrypted": (_encrypted, "ok", []),
    "pgp/mime encrypted and signed": (lambda home: _encrypted(home, "--sign"), "ok", ["good"]),
    "pgp/mime signed": (lambda home: signed(home.alice, entity("words")), "none", ["good"]),
    "pgp/mime encrypted, pgp/mime signed": (
        lambda home: encrypted(home.alice.encrypt(signed(home.alice, entity("words")), home.desk)),
        "ok",
        ["good"],
    ),
    "inline encrypted": (
        lambda home: entity(home.alice.encrypt(b"words", home.desk).decode()),
        "ok",
        [],
    ),
    "clearsigned": (
        lambda home: entity(home.alice.gpg("--clearsign", data=b"words\n").decode()),
        "none",
        ["good"],
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_described(home: Home, form: str) -> None:
    write, encryption, signatures = FORMS[form]
    found = home.describe(headers("Alice <alice@user.example>") + write(home))
    assert (found["form"], found["encryption"]["state"]) == (form, encryption)
    assert [one["state"] for one in found["signatures"]] == signatures
    assert all(one["fingerprint"] == home.alice.fingerprint for one in found["signatures"])
    assert "words" in found["text"]
    assert (found["headers"]["from"], found["headers"]["subject"]) == ("alice@user.example", "A question")


def _damaged(home: Home) -> bytes:
    lines = home.alice.encrypt(entity("secret words " * 50), home.desk).splitlines(keepends=True)
    return encrypted(b"".join([*lines[:-6], *lines[-3:]]))


def _bounced(_home: Home) -> bytes:
    status = "Final-Recipient: rfc822; kim@example.net\nAction: failed\nStatus: 5.1.1\n"
    report = entity(status, type_="message/delivery-status")
    return multipart("multipart/report; report-type=delivery-status", entity("No such user."), report)


def _offering(home: Home) -> bytes:
    key = base64.b64encode(dearmor(home.alice.public)).decode()
    return f"Autocrypt: addr=alice@user.example; keydata={key}\r\n".encode() + entity("words")


def _reporting(_home: Home) -> bytes:
    report = Path(demo.__file__).with_name("report.txt").read_text()
    return entity(report.format(address="kim@example.net", key=""))


ODD: dict[str, tuple[Write, dict[str, Any]]] = {
    "broken": (_damaged, {"encryption": "broken", "text": ""}),
    "partial": (
        lambda home: multipart("multipart/mixed", entity("beside"), _encrypted(home, "--sign")),
        {
            "encryption": "partial",
            "signatures": ["partial"],
            "covers": ["part"],
            "unprotected_text": "beside",
        },
    ),
    "bounce": (_bounced, {"automatic": "bounce"}),
    "list": (lambda _home: b"List-Id: <a.lists.example>\r\n" + entity("hi"), {"automatic": "list"}),
    "answer": (lambda _home: b"Auto-Submitted: auto-replied\r\n" + entity("hi"), {"automatic": "auto-reply"}),
    "autocrypt": (_offering, {"sources": ["autocrypt"], "automatic": None, "whisperback": None}),
    "report": (_reporting, {"contact_email": "kim@example.net", "product": "HP Laptop 15-db0xxx"}),
}


@pytest.mark.parametrize("kind", ODD)
def test_what_a_program_reads_has_the_same_shape_for_every_kind_of_letter(home: Home, kind: str) -> None:
    write, expected = ODD[kind]
    sender = "devnull@tails.boum.org" if kind == "report" else "alice@user.example"
    found = home.describe(headers(sender) + write(home))
    signatures = found["signatures"]
    flat = {
        **found,
        **(found["whisperback"] or {}),
        "encryption": found["encryption"]["state"],
        "signatures": [one["state"] for one in signatures],
        "covers": [one["covers"] for one in signatures],
        "sources": [one["source"] for one in found["keys"]],
    }
    assert {name: flat[name] for name in expected} == expected


def test_the_form_that_exchange_leaves_is_described(home: Home) -> None:
    found = home.describe(headers("alice@user.example") + _mixed_up(home))
    assert (found["encryption"]["state"], found["text"]) == ("ok", "secret words")


def test_files_are_described_as_agents_see_them(home: Home) -> None:
    program = entity("MZ", "Content-Disposition: attachment; filename=a.png", type_="image/png")
    calendar = "BEGIN:VCALENDAR\nMETHOD:REQUEST\nBEGIN:VEVENT\nSUMMARY:Talk\nEND:VEVENT\nEND:VCALENDAR\n"
    letter = multipart("multipart/mixed", entity("hi"), program, entity(calendar, type_="text/calendar"))
    found = home.describe(headers("alice@user.example") + letter)
    assert [tuple(one.values()) for one in found["attachments"]] == [
        ("a.png", "image/png", 2, "application/vnd.microsoft.portable-executable", "a program", ""),
        ("unnamed", "text/calendar", len(calendar) + 6, "", "", "invitation: “Talk”"),
    ]


def test_the_home_is_left_as_it_was(home: Home) -> None:
    before = traces(home.folder)
    found = home.describe(headers("alice@user.example") + _encrypted(home, "--sign"))
    assert found["signatures"][0]["state"] == "good"
    assert traces(home.folder) == before


def test_the_copy_of_the_keys_is_private_and_goes_away(home: Home) -> None:
    with borrow(home.folder, passphrase=PASSPHRASE) as keyring:
        copy = Path(keyring._gpg.gnupghome)
        assert copy.stat().st_mode & 0o777 == 0o700
        assert copy != home.folder
        assert len(keyring.secret_keys()) == 1
        agent = keyring._agent
    assert not copy.exists()
    assert not agent.answers()


def test_a_key_whose_passphrase_is_missing_is_told(home: Home) -> None:
    raw = headers("alice@user.example") + _encrypted(home)
    found = json.loads(home.inspect(raw, "--json", "--gnupghome", home.folder))
    assert found["encryption"]["state"] == "undecryptable"
    assert "passphrase" in found["encryption"]["detail"]
    assert found["text"] == ""


def test_without_any_keys_a_mail_is_described(home: Home) -> None:
    found = json.loads(home.inspect(headers("alice@user.example") + _encrypted(home), "--json"))
    assert found["encryption"]["state"] == "undecryptable"
    assert_fits(found, SCHEMA)


def test_a_mail_that_breaks_a_limit_is_described(home: Home) -> None:
    found = json.loads(home.inspect(b"X: y\r\n" * 60_000 + b"\r\nhi", "--json"))
    assert_fits(found, SCHEMA)
    assert (found["form"], found["encryption"]["state"]) == ("unopenable", "broken")
    assert found["problems"] == ["The letter has more than 256 KB of headers."]


@pytest.mark.parametrize("raw", [b"", b"\0\xff" * 500, b"From: \xe9\r\n\r\n\xe9\x1b[31m"])
def test_bytes_that_are_no_mail_are_described(home: Home, raw: bytes) -> None:
    assert_fits(json.loads(home.inspect(raw, "--json")), SCHEMA)


def test_a_person_reads_words_and_no_escape_sequences(home: Home) -> None:
    out = home.inspect(
        headers("alice@user.example", "[bold]\x1b]0;x\x07") + entity("hi \x1b[31m [red]there"),
    )
    assert "\x1b" not in out
    assert "[bold] ]0;x" in out
    assert "[red]there" in out


def test_a_standard_input_that_is_closed_is_a_sentence() -> None:
    command = ["sh", "-c", '"$0" -m helproom inspect-mail - <&-', sys.executable]
    done = subprocess.run(command, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (os.EX_DATAERR, b"Standard input is closed: name a file.\n")


def test_a_file_or_home_that_is_missing_is_a_sentence(home: Home, tmp_path: Path) -> None:
    missing = tmp_path / "none"
    home.inspect(b"", "--gnupghome", missing, code=os.EX_CONFIG)
    command = [sys.executable, "-m", "helproom", "inspect-mail", str(missing)]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == os.EX_OSERR
    assert b"No such file" in done.stderr
