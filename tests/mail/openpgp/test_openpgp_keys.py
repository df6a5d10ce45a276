# SPDX-License-Identifier: AGPL-3.0-or-later
"""Keys that strangers send are read without being kept; the desk's own keys are made, taken in and shown."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from mail.openpgp.keyring import GpgLimits, KeyRefused, Keyring, KeyringUnusable, read_public_key
from mail.openpgp.packets import USER_ATTRIBUTE, armor, dearmor, packets
from tests.mail.people import Person, person

PASSPHRASE = "correct-horse-battery-staple-0123456789"


@pytest.fixture(scope="module", name="bob")
def make_bob(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    with person("bob@user.example", tmp_path_factory.mktemp("keys") / "bob") as made:
        yield made


@pytest.fixture(name="keyring")
def make_keyring(tmp_path: Path) -> Iterator[Keyring]:
    made = Keyring(tmp_path / "desk", passphrase=PASSPHRASE)
    try:
        yield made
    finally:
        made.close()


def test_a_public_key_is_read_in_any_form_and_kept_nowhere(
    alice: Person, keyring: Keyring, tmp_path: Path
) -> None:
    for form in (
        alice.public,
        dearmor(alice.public),
        alice.public.replace(b"\n", b" \r\n"),
        armor(dearmor(alice.public)),
    ):
        [key] = keyring.read_public_keys(form)
        assert key == read_public_key(form)
        assert key.fingerprint == alice.fingerprint
        assert (key.addresses, key.user_ids) == (("alice@user.example",), ("Somebody <alice@user.example>",))
        assert (key.can_encrypt, key.revoked, key.expired) == (True, False, False)
        assert key.expires is not None
        assert abs(key.expires - key.created - dt.timedelta(days=365)) < dt.timedelta(days=2)
        assert key.key_ids[0] == alice.fingerprint[-16:]
    kept = [file for file in (tmp_path / "desk").rglob("*") if file.is_file()]
    assert not [file for file in kept if b"alice@user.example" in file.read_bytes()]
    assert "alice" not in repr(key)


@pytest.mark.parametrize(
    ("user_id", "addresses"),
    [
        ("boss@user.example <mallory@user.example>", ("mallory@user.example",)),
        ("Boss (boss@user.example) <Mallory@user.example>", ("mallory@user.example",)),
        ('"boss@user.example" <mallory@user.example>', ("mallory@user.example",)),
        ("boss@user.example, x <mallory@user.example>", ("mallory@user.example",)),
        ("<boss@user.example> <mallory@user.example>", ()),
        ("mallory@user.example", ("mallory@user.example",)),
        ("Mallory <mallory@user.example> (not secure!)", ("mallory@user.example",)),
        ("Mallory", ()),
    ],
)
def test_a_user_id_names_one_address_whatever_its_name_looks_like(
    tmp_path: Path, user_id: str, addresses: tuple[str, ...]
) -> None:
    with person("mallory@user.example", tmp_path / "mallory") as mallory:
        made = ("--quick-generate-key", user_id, "future-default", "default", "1y")
        mallory.gpg("--allow-freeform-uid", *made)
        key = mallory.gpg("--armor", "--export", f"={user_id}")
    assert read_public_key(key).addresses == addresses


def test_signatures_of_others_are_left_away(alice: Person, bob: Person) -> None:
    bob.gpg("--import", data=alice.public)
    bob.gpg("--yes", "--quick-sign-key", alice.fingerprint)
    flooded = bob.gpg("--armor", "--export", alice.fingerprint)
    assert len(list(packets(dearmor(flooded)))) > len(list(packets(dearmor(alice.public))))
    assert read_public_key(flooded) == read_public_key(alice.public)


def test_a_photo_is_left_away(alice: Person) -> None:
    binary = dearmor(alice.public)
    *first, last = [packet.raw for packet in packets(binary)]
    with_photo = b"".join([*first, last, bytes([0xC0 | USER_ATTRIBUTE, 3, 2, 1, 0])])
    assert read_public_key(with_photo) == read_public_key(binary)


def test_a_private_key_is_refused_and_stays_out(alice: Person, keyring: Keyring) -> None:
    private = alice.gpg("--armor", "--export-secret-keys")
    disguised = private.replace(b"PRIVATE", b"PUBLIC")
    for key in (private, disguised, dearmor(private), alice.public + private):
        with pytest.raises(KeyRefused, match="private key"):
            keyring.read_public_keys(key)
    assert keyring.secret_keys() == ()


@pytest.mark.parametrize(
    "key",
    [
        b"",
        b"no key",
        b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n!!!!\n-----END PGP PUBLIC KEY BLOCK-----\n",
        b"\xff" * 100,
        b"\x99\x00\x01x",
        armor(b"\xb4\x03abc"),
    ],
)
def test_what_is_no_key_is_refused(key: bytes) -> None:
    with pytest.raises(KeyRefused):
        read_public_key(key)


def test_every_cut_of_a_key_is_refused_or_read(alice: Person) -> None:
    binary = dearmor(alice.public)
    for end in range(1, len(binary), 97):
        try:
            key = read_public_key(binary[:end])
        except KeyRefused:
            continue
        assert key.fingerprint == alice.fingerprint


def test_a_huge_key_is_refused_before_gnupg_sees_it(alice: Person) -> None:
    limit = GpgLimits().key_bytes
    with pytest.raises(KeyRefused, match="larger than 64 KB"):
        read_public_key(alice.public + b"\n" * limit)


def test_several_keys_are_told_or_read_one_by_one(alice: Person, bob: Person, keyring: Keyring) -> None:
    both = alice.public + bob.public
    with pytest.raises(KeyRefused, match="2 keys"):
        read_public_key(both)
    assert [key.fingerprint for key in keyring.read_public_keys(both)] == [alice.fingerprint, bob.fingerprint]
    with pytest.raises(KeyRefused, match="more than 8"):
        keyring.read_public_keys(both * 5)


def test_a_key_without_a_way_to_encrypt_says_so(tmp_path: Path) -> None:
    with person("gone@user.example", tmp_path / "gone") as gone:
        gone.gpg("--quick-generate-key", "Signs <signs@user.example>", "ed25519", "sign", "1y")
        signing = read_public_key(gone.gpg("--armor", "--export", "signs@user.example"))
        certificate = (gone.home / "openpgp-revocs.d" / f"{gone.fingerprint}.rev").read_bytes()
        gone.gpg("--import", data=certificate.replace(b":-----BEGIN", b"-----BEGIN"))
        dead = read_public_key(gone.gpg("--armor", "--export", gone.fingerprint))
        made = gone.gpg(
            "--faked-system-time",
            "20200101T000000!",
            "--quick-generate-key",
            "Old <old@x.example>",
            "future-default",
            "-",
            "1w",
        )
        assert made == b""
        old = read_public_key(gone.gpg("--armor", "--export", "old@x.example"))
    assert (signing.can_encrypt, signing.revoked, signing.expired) == (False, False, False)
    assert (dead.can_encrypt, dead.revoked) == (False, True)
    assert (old.can_encrypt, old.expired) == (False, True)


def test_the_desks_key_is_made_protected_and_shown(keyring: Keyring) -> None:
    fingerprint = keyring.make_key("Help <help@desk.example>", expires=30)
    [own] = keyring.secret_keys()
    assert (own.fingerprint, own.can_sign, own.can_decrypt) == (fingerprint, True, True)
    public = read_public_key(keyring.export_public_key(fingerprint))
    assert (public.fingerprint, public.can_encrypt) == (fingerprint, True)
    with pytest.raises(KeyRefused):
        keyring.make_key("Help\nName-Email: x", expires=30)
    with pytest.raises(KeyRefused):
        keyring.export_public_key("0" * 40)


def test_a_secret_key_is_taken_in_and_gets_the_desks_passphrase(
    alice: Person, keyring: Keyring, tmp_path: Path
) -> None:
    fingerprint = keyring.import_secret_key(alice.gpg("--armor", "--export-secret-keys"))
    assert fingerprint == alice.fingerprint
    message = alice.encrypt(b"words", alice.public)
    assert keyring.decrypt(message).data == b"words"
    stored = list((tmp_path / "desk" / "private-keys-v1.d").iterdir())
    assert len(stored) == 2
    assert all(b"protected-private-key" in file.read_bytes() for file in stored)


def test_what_holds_no_secret_key_is_not_taken_in(alice: Person, keyring: Keyring) -> None:
    for key in (alice.public, b"", b"no key"):
        with pytest.raises(KeyRefused):
            keyring.import_secret_key(key)
    assert keyring.secret_keys() == ()


def test_a_secret_key_with_another_passphrase_is_refused(keyring: Keyring, tmp_path: Path) -> None:
    other = Keyring(tmp_path / "other", passphrase="another-passphrase-of-some-length")
    try:
        fingerprint = other.make_key("Other <other@desk.example>", expires=30)
        command = (
            "--armor",
            "--passphrase",
            "another-passphrase-of-some-length",
            "--export-secret-keys",
            fingerprint,
        )
        key = Person("other@desk.example", tmp_path / "other").gpg(*command)
    finally:
        other.close()
    with pytest.raises(KeyRefused, match="passphrase"):
        keyring.import_secret_key(key)
    assert keyring.secret_keys() == ()


def test_all_parts_of_a_made_key_end_at_the_same_time(keyring: Keyring) -> None:
    fingerprint = keyring.make_key("Help desk <help-en@desk.example>", expires=30)
    listing = keyring._gpg.run(["--list-secret-keys", fingerprint], b"").data
    ends = [row.split(b":")[6] for row in listing.splitlines() if row[:3] in {b"sec", b"ssb"}]
    assert len(ends) == 2
    assert all(ends)
    assert abs(int(ends[0]) - int(ends[1])) <= 5


@pytest.mark.parametrize("more", range(3))
def test_gnupg_takes_our_armor_whatever_its_length(alice: Person, bob: Person, more: int):
    padding = bytes([0xB4, more, *b"xx"[:more]])  # a user id makes the data longer
    shown = bob.gpg("--show-keys", data=armor(dearmor(alice.public) + padding))
    assert alice.fingerprint.encode() in shown


def test_without_gnupg_a_key_cannot_be_read_and_that_is_said(
    alice: Person, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KeyringUnusable, match="GnuPG cannot be started"):
        read_public_key(alice.public)
