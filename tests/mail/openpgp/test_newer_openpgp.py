# SPDX-License-Identifier: AGPL-3.0-or-later
"""Messages as programs newer than our GnuPG write them, and passwords: opened, or told for what they are."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from desk.letters.opened import EncryptionState, SignatureState
from mail.openpgp.keyring import Keyring
from mail.openpgp.packets import dearmor
from tests.mail import attacks
from tests.mail.attacks import SECRET, Scene
from tests.mail.packets import literal, with_ocb
from tests.mail.people import Person, person

PASSPHRASE = "correct-horse-battery-staple-0123456789"
OK, BROKEN, SHUT = EncryptionState.OK, EncryptionState.BROKEN, EncryptionState.UNDECRYPTABLE
GOOD, UNKNOWN = SignatureState.GOOD, SignatureState.UNKNOWN_KEY


@dataclass(frozen=True)
class Office:
    keyring: Keyring
    scene: Scene

    @property
    def alice(self) -> Person:
        return self.scene.alice


@pytest.fixture(scope="module", name="office")
def make_office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    home = tmp_path_factory.mktemp("keys")
    keyring = Keyring(home / "desk", passphrase=PASSPHRASE)
    try:
        public = keyring.export_public_key(keyring.make_key("Help <help@desk.example>", expires=30))
        with person("alice@user.example", home / "alice") as alice:
            yield Office(keyring, Scene(alice, alice, public))
    finally:
        keyring.close()


def test_ocb_packets_of_newer_gnupg_are_opened_and_guarded(office: Office) -> None:
    message = attacks.sealed(office.scene, "--cipher-algo", "AES256", data=b"x")
    opened = office.keyring.decrypt(with_ocb(office.keyring, message, literal(SECRET)))
    assert (opened.encryption.state, opened.data) == (OK, SECRET)
    spoiled = office.keyring.decrypt(with_ocb(office.keyring, message, literal(SECRET), spoil=True))
    assert (spoiled.encryption.state, spoiled.data) == (BROKEN, None)
    signed = dearmor(office.alice.gpg("-z", "0", "--armor", "--sign", data=SECRET))
    for keys, state in (([office.alice.public], GOOD), ([], UNKNOWN)):
        opened = office.keyring.decrypt(with_ocb(office.keyring, message, signed), keys)
        assert (opened.encryption.state, opened.data) == (OK, SECRET)
        assert [each.state for each in opened.signatures] == [state]


def test_armor_needs_no_checksum(office: Office) -> None:
    alice = office.alice
    for size in (1, 2, 3):  # with one of them, nothing pads the end
        bare = re.sub(rb"\n=[^\n]{4}\n", b"\n", attacks.sealed(office.scene, "-z", "0", data=b"x" * size))
        assert office.keyring.decrypt(bare).data == b"x" * size
        signature = re.sub(rb"\n=[^\n]{4}\n", b"\n", alice.sign(b"x" * size))
        [found] = office.keyring.verify_detached(b"x" * size, signature, [alice.public])
        assert found.state is GOOD
    for comment in ("a", "ab", "abc"):
        clear = alice.gpg("--comment", comment, "--clearsign", data=b"signed\n")
        opened = office.keyring.decrypt(re.sub(rb"\n=[^\n]{4}\n", b"\n", clear), [alice.public])
        assert (opened.data, [each.state for each in opened.signatures]) == (b"signed\n", [GOOD])


def test_the_password_of_the_desk_opens_no_message_with_a_password(office: Office) -> None:
    message = office.alice.gpg("--armor", "--passphrase", PASSPHRASE, "--symmetric", data=SECRET)
    opened = office.keyring.decrypt(message)
    assert (opened.encryption.state, opened.data) == (SHUT, None)
    assert "password" in opened.encryption.detail
