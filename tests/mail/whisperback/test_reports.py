# SPDX-License-Identifier: AGPL-3.0-or-later
"""WhisperBack reports: the samples as they come in, and preambles that try to deceive."""

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from desk.letters.opened import EncryptionState, Headers, Opened
from mail.openpgp.keyring import Keyring
from mail.reading.open_letter import open_letter
from mail.whisperback.report import read_report

SAMPLES = Path(__file__).parent.parent.parent / "mails" / "whisperback"
REPORT_ID = "40cd8f2ebf1326ba950bb700fcf4e633"
OUTER = Headers(outer_subject=f"Bug report: {REPORT_ID}", sender="relay@tails.example")
DEBUGGING = (
    "\n\n======= content of /proc/cmdline =======\nquiet\n\n======= content of /bin/lsmod =======\nath9k 1\n"
)


@pytest.fixture(scope="module", name="keyring")
def make_keyring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyring]:
    home = tmp_path_factory.mktemp("keys")
    home.chmod(0o700)
    keyring = Keyring(home, passphrase=None)
    keyring.import_secret_key((SAMPLES / "TEST-ONLY-helpdesk-secret-key.asc").read_bytes())
    yield keyring
    keyring.close()


def open_sample(name: str, keyring: Keyring) -> Opened:
    return open_letter((SAMPLES / f"{name}.eml").read_bytes(), keyring, mail_from="devnull@tails.boum.org")


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.expected.json")), ids=lambda path: path.name[:2])
def test_a_sample_gives_what_is_expected_of_it(path: Path, keyring: Keyring) -> None:
    expected: dict[str, Any] = json.loads(path.read_text())
    del expected["made_by"]
    expected.pop("note", None)
    opened = open_sample(path.name.removesuffix(".expected.json"), keyring)
    is_mailed_by_the_program = expected["whisperback_id"] is not None
    assert opened.encryption.state is (
        EncryptionState.OK if is_mailed_by_the_program else EncryptionState.NONE
    )
    assert opened.whisperback is not None
    found = asdict(opened.whisperback) | {"lang": opened.language.code if opened.language else None}
    assert {field: found[field] for field in expected} == expected


def test_all_samples_are_there() -> None:
    assert [path.name[:2] for path in sorted(SAMPLES.glob("*.eml"))] == ["01", "02", "05", "08", "10", "12"]


def test_the_key_in_a_report_is_offered(keyring: Keyring) -> None:
    opened = open_sample("01-new-en-wifi-large", keyring)
    user = keyring.read_public_keys((SAMPLES / "TEST-ONLY-user-public-key.asc").read_bytes())
    assert [(key.fingerprint, key.source) for key in opened.keys] == [(user[0].fingerprint, "report")]
    assert opened.problems == ()


def test_a_key_in_a_report_that_cannot_be_read_is_garbled(keyring: Keyring) -> None:
    block = (SAMPLES / "TEST-ONLY-user-public-key.asc").read_text()
    for key, garbled in ((block, ()), (block.replace("\n\n", "\n\nabcd", 1), ("openpgp_key",))):
        text = f"Subject: x\nOpenPGP-Key: included below\n\nNo sound.\n\n\n\n{key}{DEBUGGING}"
        head = f"From: devnull@tails.boum.org\nSubject: Bug report: {REPORT_ID}\n\n"
        opened = open_letter(f"{head}{text}".encode(), keyring)
        assert opened.whisperback is not None
        assert (opened.whisperback.openpgp_key, opened.whisperback.garbled) == ("block", garbled)
        assert (len(opened.keys), len(opened.problems)) == ((0, 2) if garbled else (1, 0))


def test_only_the_persons_words_are_taken_for_theirs(keyring: Keyring) -> None:
    report = open_sample("02-new-fr-persistence", keyring).whisperback
    assert report is not None
    assert report.app == "tps-frontend"
    assert report.user_text.startswith(
        "Je voulais déverrouiller mon stockage persistant au démarrage.\n\nLe message"
    )
    assert report.user_text.endswith("après la mise à jour automatique depuis la 6.8.1.")


def test_a_report_is_written_by_a_person_whatever_its_envelope(keyring: Keyring) -> None:
    raw = (SAMPLES / "05-new-empty-no-debug.eml").read_bytes()
    assert open_letter(raw, keyring, mail_from="").automatic is None


def test_lines_of_the_person_that_look_like_the_preamble_are_words() -> None:
    text = (
        "Subject: real\n\nFrom: other@user.example\nOpenPGP-Key: 12345678\nTails-Version: 1.0\n" + DEBUGGING
    )
    report = read_report(text, OUTER)
    assert report is not None
    assert (report.report_subject, report.contact_email, report.openpgp_key) == ("real", None, None)
    assert report.tails_version is None
    assert "other@user.example" in report.user_text


def test_sections_that_the_person_pasted_are_words() -> None:
    forged = "\n======= content of /usr/sbin/dmidecode -s system-manufacturer =======\nEVIL\n"
    report = read_report("Subject: x\n\nlook:" + DEBUGGING + forged + DEBUGGING, OUTER)
    assert report is not None
    assert [key for key, _ in report.sections] == ["/proc/cmdline", "/bin/lsmod"]
    assert (report.manufacturer, report.wifi_driver) == (None, "ath9k")
    assert "EVIL" in report.user_text


@pytest.mark.parametrize(
    ("line", "address"),
    [
        ("my mail is a.b@mail.example thanks", "a.b@mail.example"),
        ("<A@mail.example>, b@mail.example", "a@mail.example"),
        ("nothing@all", None),
    ],
)
def test_a_contact_is_found_in_free_text(line: str, address: str | None) -> None:
    report = read_report(f"Subject: x\nFrom: {line}\n\nwords", OUTER)
    assert report is not None
    assert (report.contact_email, report.contact_raw) == (address, line)


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("Subject: x\n\nwords", "Hello"),
        ("Hello\n", OUTER.outer_subject),
        ("Subject: x", "Bug report: xyz"),
        ("", ""),
    ],
)
def test_other_letters_are_no_reports(text: str, subject: str) -> None:
    assert read_report(text, replace(OUTER, outer_subject=subject)) is None


def test_a_version_is_taken_from_the_first_installation_when_the_header_is_missing() -> None:
    installed = "\n======= content of /lib/live/mount/rootfs/filesystem.squashfs/etc/os-release =======\n"
    report = read_report(
        "Subject: x\n\nwords" + DEBUGGING + installed + 'NAME="Tails"\nVERSION="6.1"\n', OUTER
    )
    assert report is not None
    assert report.tails_version == "6.1"
