# SPDX-License-Identifier: AGPL-3.0-or-later
"""The desk's own keys live longer when they are told to, with the subkeys that are in use."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from mail.openpgp.keyring import KeyRefused, Keyring, read_public_key
from tests.mail.people import Person

PASSPHRASE = "correct-horse-battery-staple-0123456789"
YEAR = dt.timedelta(days=365)


@pytest.fixture(name="keyring")
def make_keyring(tmp_path: Path) -> Iterator[Keyring]:
    made = Keyring(tmp_path / "desk", passphrase=PASSPHRASE)
    try:
        yield made
    finally:
        made.close()


def by_hand(tmp_path: Path, *args: str) -> None:
    """Change the desk's home as a sysadmin would, beside the running desk."""
    Person("help@desk.example", tmp_path / "desk").gpg("--passphrase", PASSPHRASE, *args)


def left(end: dt.datetime | None) -> dt.timedelta:
    assert end is not None
    return end - dt.datetime.now(dt.UTC)


def test_a_key_is_extended_with_its_subkeys(keyring: Keyring, tmp_path: Path) -> None:
    fingerprint = keyring.make_key("Help <help@desk.example>", expires=30)
    by_hand(tmp_path, "--quick-set-expire", fingerprint, "20d", "*")
    assert left(keyring.secret_keys()[0].works_until) < dt.timedelta(days=21)
    extended = keyring.extend(fingerprint, "2y")
    assert left(extended.works_until) > 2 * YEAR - dt.timedelta(days=2)
    assert extended == keyring.secret_keys()[0]
    public = read_public_key(keyring.export_public_key(fingerprint))
    assert left(public.encrypts_until) > 2 * YEAR - dt.timedelta(days=2)
    signed = keyring.encrypt_and_sign(b"words", to=[public.armor], signer=fingerprint)
    assert keyring.decrypt(signed.armor).data == b"words"


def test_of_subkeys_that_are_over_only_the_newest_wakes_up(keyring: Keyring, tmp_path: Path) -> None:
    fingerprint = keyring.make_key("Help <help@desk.example>", expires=300)
    for when in ("seconds=1", "seconds=1"):
        by_hand(tmp_path, "--quick-add-key", fingerprint, "cv25519", "encr", when)
    by_hand(tmp_path, "--quick-set-expire", fingerprint, "seconds=1", "*")
    key_ids = read_public_key(keyring.export_public_key(fingerprint)).key_ids
    assert len(key_ids) == 4
    while read_public_key(keyring.export_public_key(fingerprint)).can_encrypt:
        pass  # for a second, until the subkeys are over
    keyring.extend(fingerprint, "1y")
    listing = Person("", tmp_path / "desk").gpg("--with-colons", "--list-keys").decode().splitlines()
    ends = [row.split(":")[1] for row in listing if row.startswith("sub:")]
    assert (ends[:2], ends[2] == "e") == (["e", "e"], False)


def test_another_process_s_changes_are_seen_at_once(keyring: Keyring, tmp_path: Path) -> None:
    fingerprint = keyring.make_key("Help <help@desk.example>", expires=30)
    before = keyring.secret_keys()[0]
    by_hand(tmp_path, "--quick-set-expire", fingerprint, "3y")
    after = keyring.secret_keys()[0]
    assert before.expires is not None
    assert after.expires is not None
    assert after.expires > before.expires


def test_a_key_that_is_not_there_or_does_not_open_is_refused(keyring: Keyring, tmp_path: Path) -> None:
    fingerprint = keyring.make_key("Help <help@desk.example>", expires=30)
    with pytest.raises(KeyRefused, match="not there"):
        keyring.extend("0" * 40, "2y")
    other = Keyring(tmp_path / "desk", passphrase="wrong")
    with pytest.raises(KeyRefused, match="passphrase is wrong"):
        other.extend(fingerprint, "2y")
