# SPDX-License-Identifier: AGPL-3.0-or-later
"""Somebody else's ciphertext in a stranger's mail: whom the desk takes for its writer."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from desk.letters.facts import writer_of
from desk.letters.opened import EncryptionState, Opened, Signature, SignatureState
from mail.reading.open_letter import open_letter
from tests.mail.people import Desk, Person, encrypted, entity, headers, multipart, person, signed

STRANGER = "stranger@elsewhere.example"


@pytest.fixture(scope="module", name="other")
def make_other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    with person(STRANGER, tmp_path_factory.mktemp("other") / "home") as someone:
        yield someone


def opened(desk: Desk, raw: bytes, *signers: bytes) -> Opened:
    return open_letter(raw, desk.keyring, signers=signers)


def named(by: str, text: str = "My secret.") -> bytes:
    """Make a text that protects From (RFC 9788)."""
    fields = (f"From: {by}", "Subject: Mine")
    return entity(text, *fields, type_='text/plain; charset=utf-8; hp="cipher"')


def test_the_writer_is_whom_the_ciphertext_names(desk: Desk, alice: Person) -> None:
    sealed = encrypted(alice.encrypt(named(alice.address), desk.public))
    assert writer_of(opened(desk, headers(alice.address, "[...]") + sealed)) == alice.address
    found = opened(desk, headers(STRANGER, "[...]") + sealed)
    assert (writer_of(found), found.headers.mismatch) == ("", ("From",))


def test_the_writer_is_who_signed_inside(desk: Desk, alice: Person) -> None:
    sealed = encrypted(alice.encrypt(signed(alice, entity("My secret.")), desk.public))
    assert writer_of(opened(desk, headers(alice.address) + sealed, alice.public)) == alice.address
    assert writer_of(opened(desk, headers(STRANGER) + sealed, alice.public)) == ""
    assert writer_of(opened(desk, headers(alice.address) + sealed)) == ""


@pytest.mark.parametrize("way", ["alone", "signed", "signed beside nothing", "sealed", "sealed beside words"])
def test_what_a_stranger_puts_around_a_ciphertext_names_no_writer(
    desk: Desk, alice: Person, other: Person, way: str
) -> None:
    caught = encrypted(alice.encrypt(entity("My secret."), desk.public))
    own = entity("", f"From: {other.address}")
    hull = multipart("multipart/mixed", caught, own, boundary="=-hull")
    hull = f"From: {other.address}\r\nSubject: Help\r\n".encode() + hull.replace(
        b"multipart/mixed;", b'multipart/mixed; hp="clear";', 1
    )
    words = multipart("multipart/mixed", entity("See below."), caught, boundary="=-words")
    body = {
        "alone": caught,
        "signed": signed(other, caught),
        "signed beside nothing": signed(other, hull),
        "sealed": encrypted(other.encrypt(signed(other, hull), desk.public), "=-outer"),
        "sealed beside words": encrypted(other.encrypt(words, desk.public), "=-outer"),
    }[way]
    found = opened(desk, headers(other.address) + body, other.public)
    assert "My secret." in found.text
    assert found.encryption.state is EncryptionState.OK
    assert writer_of(found) == ""


@pytest.mark.parametrize("state", ["bad", "revoked-key", "partial", "good-other-sender"])
def test_a_signature_that_is_not_the_writer_s_outweighs_the_name_beside_it(
    desk: Desk, alice: Person, state: str
) -> None:
    sealed = encrypted(alice.encrypt(named(alice.address), desk.public))
    found = opened(desk, headers(alice.address, "[...]") + sealed)
    assert writer_of(replace(found, signatures=(Signature(SignatureState("unknown-key"), None),))) != ""
    assert writer_of(replace(found, signatures=(Signature(SignatureState(state), None),))) == ""


def test_of_several_protected_parts_none_names_the_writer_of_all(desk: Desk, alice: Person) -> None:
    sealed = encrypted(alice.encrypt(named(alice.address), desk.public))
    found = opened(desk, headers(alice.address, "[...]") + sealed)
    assert writer_of(replace(found, form=f"{found.form} + pgp/mime signed")) == ""
