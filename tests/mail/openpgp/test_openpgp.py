# SPDX-License-Identifier: AGPL-3.0-or-later
"""The gateway against real GnuPG: what is sound passes, what is not leaves no word behind."""

import logging
import os
import pickle
import resource
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from desk.letters.opened import EncryptionState, SignatureState
from mail.openpgp.keyring import (
    GpgExecutor,
    GpgLimits,
    Keyring,
    KeyringUnusable,
    SealRefused,
    read_public_key,
)
from mail.openpgp.packets import dearmor
from tests.mail import attacks
from tests.mail.attacks import LONG_AGO, SECRET, Build, Scene
from tests.mail.people import Person, person

PASSPHRASE = "correct-horse-battery-staple-0123456789"
LIMITS = GpgLimits(output_bytes=2_000_000)
SPOOF = "mallory\u2028[GNUPG:] GOODSIG 1 x"


@dataclass(frozen=True)
class House:
    keyring: Keyring
    home: Path
    fingerprint: str
    scene: Scene


@pytest.fixture(scope="module", name="house")
def make_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    home = tmp_path_factory.mktemp("keys")
    keyring = Keyring(home / "desk", passphrase=PASSPHRASE, limits=LIMITS)
    try:
        fingerprint = keyring.make_key("Help <help@desk.example>", expires=30)
        public = keyring.export_public_key(fingerprint)
        with (
            person("alice@user.example", home / "alice") as alice,
            person("bob@user.example", home / "bob") as bob,
        ):
            yield House(keyring, home / "desk", fingerprint, Scene(alice, bob, public))
    finally:
        keyring.close()


@pytest.fixture(name="old")
def make_old(tmp_path: Path) -> Iterator[Person]:
    """Somebody whose key expired years ago."""
    with person("old@user.example", tmp_path / "old") as someone:
        made = someone.gpg(
            *LONG_AGO,
            "--status-fd",
            "1",
            "--quick-generate-key",
            "Old <old@x.example>",
            "future-default",
            "-",
            "1w",
        ).decode()
        someone.fingerprint = next(line.split()[3] for line in made.splitlines() if "KEY_CREATED" in line)
        someone.public = someone.gpg("--armor", "--export", someone.fingerprint)
        yield someone


def revoked(someone: Person) -> bytes:
    """The person's public key, revoked."""
    certificate = next((someone.home / "openpgp-revocs.d").iterdir())
    someone.gpg("--import", data=certificate.read_bytes().replace(b":-----BEGIN", b"-----BEGIN"))
    return someone.gpg("--armor", "--export")


OK, BROKEN, NONE = EncryptionState.OK, EncryptionState.BROKEN, EncryptionState.NONE
SHUT = EncryptionState.UNDECRYPTABLE


@pytest.mark.parametrize(
    ("attack", "state", "words"),
    [
        (attacks.no_mdc, BROKEN, "no MDC"),
        (attacks.tampered, BROKEN, "damaged or changed"),
        (attacks.truncated, BROKEN, "damaged or changed"),
        (attacks.bomb, BROKEN, "more than 2 MB"),
        (attacks.signed_bomb, BROKEN, "more than 2 MB"),
        (attacks.with_packet_behind, BROKEN, "damaged or changed"),
        (attacks.with_packet_before, BROKEN, "damaged or changed"),
        (attacks.two_messages, BROKEN, "damaged or changed"),
        (attacks.two_texts_inside, BROKEN, ""),
        (attacks.with_password, SHUT, "password"),
        (attacks.to_another, SHUT, "keys which the desk does not have ("),
        (attacks.of_version_6, SHUT, "RFC 9580"),
        (attacks.of_version_6_to_nobody, SHUT, "RFC 9580"),
        (attacks.of_version_6_with_password, SHUT, "RFC 9580"),
        (attacks.garbage, BROKEN, "no sound"),
        (attacks.nothing, BROKEN, "no sound"),
    ],
)
def test_no_word_of_an_unsound_message_can_be_reached(
    house: House, caplog: pytest.LogCaptureFixture, attack: Build, state: EncryptionState, words: str
) -> None:
    message = attack(house.scene)
    with caplog.at_level(logging.DEBUG):
        opened = house.keyring.decrypt(message, [house.scene.alice.public])
    assert opened.encryption.state is state
    assert words in opened.encryption.detail
    assert (opened.data, opened.signatures) == (None, ())
    assert SECRET not in pickle.dumps(opened)
    assert SECRET.decode() not in caplog.text


def test_a_sound_message_is_opened_by_the_desks_key(house: House) -> None:
    opened = house.keyring.decrypt(attacks.sealed(house.scene))
    assert (opened.encryption.state, opened.data, opened.signatures) == (OK, SECRET, ())
    assert opened.decrypted_to == (house.fingerprint,)
    assert SECRET.decode() not in repr(opened)


def test_the_same_ciphertext_is_known_again_in_another_coat(house: House) -> None:
    message = attacks.sealed(house.scene)
    first, again = house.keyring.decrypt(message), house.keyring.decrypt(dearmor(message))
    other = house.keyring.decrypt(attacks.sealed(house.scene))
    assert first.session_digest == again.session_digest != other.session_digest
    assert first.session_digest is not None


def test_text_in_a_packet_is_not_told_as_encrypted(house: House) -> None:
    opened = house.keyring.decrypt(attacks.stored(house.scene))
    assert (opened.encryption.state, opened.signatures) == (NONE, ())
    assert "not encrypted" in opened.encryption.detail


def test_hidden_recipients_are_no_failure(house: House) -> None:
    opened = house.keyring.decrypt(attacks.hidden(house.scene))
    assert (opened.encryption.state, opened.data) == (OK, SECRET)
    assert "hidden" in opened.encryption.detail


def test_a_signature_beside_hidden_recipients_is_good(house: House) -> None:
    opened = house.keyring.decrypt(attacks.hidden(house.scene, "--sign"), [house.scene.alice.public])
    assert (opened.encryption.state, opened.data) == (OK, SECRET)
    assert [each.state for each in opened.signatures] == [SignatureState.GOOD]


def test_other_recipients_beside_the_desk_are_no_failure(house: House) -> None:
    file = house.scene.alice.home / "other.asc"
    file.write_bytes(house.scene.bob.public)
    opened = house.keyring.decrypt(attacks.sealed(house.scene, "--recipient-file", str(file)))
    assert (opened.encryption.state, opened.data, opened.encryption.detail) == (OK, SECRET, "")


def test_status_lines_in_a_file_name_sign_nothing(house: House) -> None:
    opened = house.keyring.decrypt(attacks.faked_name(house.scene))
    assert (opened.encryption.state, opened.signatures) == (OK, ())


@pytest.mark.parametrize("name", [SPOOF, SPOOF.replace("\u2028", "\n"), SPOOF.replace("\u2028", "\x85")])
def test_status_lines_in_a_user_id_sign_nothing(house: House, tmp_path: Path, name: str) -> None:
    with person("mallory@evil.example", tmp_path / "mallory") as mallory:
        mallory.gpg("--quick-add-uid", mallory.fingerprint, f"{name} <m@evil.example>")
        mallory.gpg("--quick-set-primary-uid", mallory.fingerprint, f"{name} <m@evil.example>")
        key = read_public_key(mallory.gpg("--armor", "--export"))
        message = mallory.encrypt(SECRET, house.scene.desk, "--sign")
        [signature] = house.keyring.decrypt(message, [key.armor]).signatures
    assert (signature.state, signature.fingerprint) == (SignatureState.GOOD, mallory.fingerprint)
    assert all(user_id.isprintable() for user_id in key.user_ids)
    assert any("GOODSIG" in user_id for user_id in key.user_ids)


GOOD, BAD, UNKNOWN = SignatureState.GOOD, SignatureState.BAD, SignatureState.UNKNOWN_KEY


def test_a_signature_is_good_only_with_the_signers_key(house: House) -> None:
    alice, bob = house.scene.alice, house.scene.bob
    message = attacks.sealed(house.scene, "--sign")
    for keys, state in (
        ([alice.public], GOOD),
        ([bob.public, alice.public], GOOD),
        ([bob.public], UNKNOWN),
        ([], UNKNOWN),
    ):
        opened = house.keyring.decrypt(message, keys)
        [signature] = opened.signatures
        assert (opened.encryption.state, opened.data) == (OK, SECRET)
        assert (signature.state, signature.fingerprint) == (state, alice.fingerprint)


def test_a_signature_under_a_changed_text_is_bad(house: House) -> None:
    signature = house.scene.alice.sign(SECRET)
    [found] = house.keyring.verify_detached(SECRET + b"!", signature, [house.scene.alice.public])
    assert found.state is BAD


@pytest.mark.parametrize("order", [(True, False), (False, True), (True, True)])
def test_the_worst_signature_stands_first(house: House, order: tuple[bool, ...]) -> None:
    signers = [house.scene.alice, house.scene.bob]
    block = b"".join(
        dearmor(someone.sign(SECRET if good else b"else"))
        for someone, good in zip(signers, order, strict=True)
    )
    found = house.keyring.verify_detached(SECRET, block, [someone.public for someone in signers])
    assert found[0].state is (GOOD if all(order) else BAD)
    assert len(found) == 2 or order == (False, True)  # GnuPG stops at the first bad one


@pytest.mark.parametrize(
    "signature",
    [b"", b"no signature", b"-----BEGIN PGP SIGNATURE-----\n\nAAAA\n-----END PGP SIGNATURE-----\n"],
)
def test_what_is_no_signature_is_bad(house: House, signature: bytes) -> None:
    [found] = house.keyring.verify_detached(SECRET, signature, [house.scene.alice.public])
    assert (found.state, found.fingerprint) == (BAD, None)


def test_a_message_in_place_of_a_signature_is_bad(house: House) -> None:
    message = house.scene.alice.gpg("--armor", "--sign", data=b"something else")
    found = house.keyring.verify_detached(SECRET, message, [house.scene.alice.public])
    assert [each.state for each in found] == [BAD]


def test_the_signature_of_an_expired_key_is_amber(house: House, old: Person) -> None:
    signature = old.gpg(*LONG_AGO, "-u", old.fingerprint, "--armor", "--detach-sign", data=SECRET)
    [found] = house.keyring.verify_detached(SECRET, signature, [old.public])
    assert (found.state, found.fingerprint) == (SignatureState.EXPIRED_KEY, old.fingerprint)


def test_the_signature_of_a_revoked_key_is_red(house: House, tmp_path: Path) -> None:
    with person("gone@user.example", tmp_path / "gone") as gone:
        signature = gone.sign(SECRET)
        public = revoked(gone)
    [found] = house.keyring.verify_detached(SECRET, signature, [public])
    assert (found.state, found.fingerprint) == (SignatureState.REVOKED_KEY, gone.fingerprint)


def test_of_a_clearsigned_text_only_the_signed_words_come_out(house: House) -> None:
    block = house.scene.alice.gpg("--clearsign", data=b"signed words\n")
    opened = house.keyring.decrypt(b"before\n" + block + b"after\n", [house.scene.alice.public])
    assert (opened.encryption.state, opened.data) == (NONE, b"signed words\n")
    assert [each.state for each in opened.signatures] == [GOOD]


def test_a_stopped_child_gives_a_verdict_and_no_words(house: House) -> None:
    hasty = Keyring(house.home, passphrase=PASSPHRASE, limits=LIMITS)
    hasty._gpg.limits = replace(LIMITS, wall_seconds=0.0)  # not before GnuPG has told its version
    opened = hasty.decrypt(attacks.bomb(house.scene))
    assert (opened.encryption.state, opened.data) == (BROKEN, None)
    assert "too much time" in opened.encryption.detail


def test_a_child_is_limited_before_it_gets_input(house: House) -> None:
    child = house.keyring._gpg._open_subprocess(["--decrypt"])
    try:
        assert resource.prlimit(child.pid, resource.RLIMIT_CPU)[1] == LIMITS.cpu_seconds
        assert resource.prlimit(child.pid, resource.RLIMIT_AS)[1] == LIMITS.memory_bytes
        assert resource.prlimit(child.pid, resource.RLIMIT_CORE)[0] == 0
        assert os.getsid(child.pid) == child.pid
    finally:
        child.kill()
        child.communicate()


def test_the_limits_bind_gpg_and_not_its_agent(house: House) -> None:
    house.keyring.decrypt(attacks.sealed(house.scene))
    command = ["gpg-connect-agent", "--homedir", str(house.home), "getinfo pid", "/bye"]
    answer = subprocess.run(command, check=True, capture_output=True).stdout.split()
    assert resource.prlimit(int(answer[1]), resource.RLIMIT_CPU)[0] == resource.RLIM_INFINITY


def test_a_wrong_passphrase_is_the_desks_fault_and_not_the_letters(house: House) -> None:
    message = attacks.sealed(house.scene)
    for passphrase in ("another-passphrase-of-some-length", None):
        locked = Keyring(house.home, passphrase=passphrase, limits=LIMITS)
        with pytest.raises(KeyringUnusable) as failed:
            locked.decrypt(message)
        assert PASSPHRASE not in str(failed.value)


def test_a_gnupg_that_cannot_even_start_is_the_desks_fault(house: House) -> None:
    cramped = Keyring(house.home, passphrase=PASSPHRASE, limits=LIMITS)
    cramped._gpg.gpgbinary = "false"
    with pytest.raises(KeyringUnusable):
        cramped.decrypt(attacks.sealed(house.scene))


@pytest.mark.parametrize("message", [b"\xca\x03PGP", b"\xd1\x02\x01\x00", b"\xc2\x01\x04", b"\xd2\x01\x01"])
def test_a_strange_packet_is_the_letters_fault(house: House, message: bytes) -> None:
    assert house.keyring.decrypt(message).encryption.state is BROKEN
    assert house.keyring.decrypt(dearmor(house.scene.alice.public)).data is None


def test_the_agent_is_started_anew_when_it_has_died(house: House) -> None:
    message = attacks.sealed(house.scene)
    subprocess.run(["gpgconf", "--homedir", str(house.home), "--kill", "gpg-agent"], check=True)
    assert house.keyring.decrypt(message).data == SECRET


def test_a_sealed_mail_opens_at_its_reader_and_names_its_hash(house: House) -> None:
    alice = house.scene.alice
    sealed = house.keyring.encrypt_and_sign(SECRET, to=[alice.public], signer=house.fingerprint)
    alice.gpg("--import", data=house.scene.desk)
    status = alice.gpg("--status-fd", "1", "--output", "-", "--decrypt", data=sealed.armor)
    assert SECRET in status
    assert f"VALIDSIG {house.fingerprint}".encode() in status
    assert sealed.micalg == "pgp-sha512"


@pytest.mark.parametrize("size", [0, 1, 1_500_000])
def test_what_the_desk_seals_for_itself_it_opens(house: House, size: int) -> None:
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    sealed = house.keyring.encrypt_and_sign(data, to=[house.scene.desk], signer=house.fingerprint)
    opened = house.keyring.decrypt(sealed.armor)
    assert (opened.data, [each.state for each in opened.signatures]) == (data, [GOOD])


def test_nothing_is_sealed_with_a_key_that_does_not_fit(house: House, old: Person, tmp_path: Path) -> None:
    good = house.scene.alice.public
    with person("gone@user.example", tmp_path / "gone") as gone:
        unfit = {
            "expired": old.public,
            "revoked": revoked(gone),
            "none": b"bob",
            "signing": _signing_only(gone),
        }
    for key in unfit.values():
        with pytest.raises(SealRefused):
            house.keyring.encrypt_and_sign(SECRET, to=[good, key], signer=house.fingerprint)
    with pytest.raises(SealRefused, match="number 2 of 2"):
        house.keyring.encrypt_and_sign(SECRET, to=[good, old.public], signer=house.fingerprint)
    with pytest.raises(SealRefused):
        house.keyring.encrypt_and_sign(SECRET, to=[], signer=house.fingerprint)


def _signing_only(someone: Person) -> bytes:
    someone.gpg("--quick-generate-key", "Signs <signs@user.example>", "ed25519", "sign", "1y")
    return someone.gpg("--armor", "--export", "signs@user.example")


@pytest.mark.parametrize("signer", ["help@desk.example", "0" * 40, "", "desk"])
def test_nothing_is_signed_by_another_than_the_queues_full_fingerprint(house: House, signer: str) -> None:
    with pytest.raises(SealRefused):
        house.keyring.encrypt_and_sign(SECRET, to=[house.scene.alice.public], signer=signer)
    with pytest.raises(SealRefused):
        house.keyring.sign_detached(SECRET, signer=signer)


def test_two_keys_in_one_recipient_are_refused(house: House) -> None:
    both = dearmor(house.scene.alice.public) + dearmor(house.scene.bob.public)
    with pytest.raises(SealRefused):
        house.keyring.encrypt_and_sign(SECRET, to=[both], signer=house.fingerprint)


def test_text_is_not_taken_for_bytes(house: House) -> None:
    wrong: list[bytes] = ["привет"]  # type: ignore[list-item]
    with pytest.raises(TypeError):
        house.keyring.sign_detached(wrong[0], signer=house.fingerprint)


async def test_the_workshop_opens_several_letters_at_once(house: House) -> None:
    workshop = GpgExecutor(2)
    try:
        message = attacks.sealed(house.scene)
        opened = [await workshop.run(house.keyring.decrypt, message, signers=()) for _ in range(3)]
    finally:
        workshop.close()
    assert [each.data for each in opened] == [SECRET] * 3
