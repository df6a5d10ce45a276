# SPDX-License-Identifier: AGPL-3.0-or-later
"""Words that nothing protects, beside a part that is protected: never told as if they were."""

import base64
from collections.abc import Iterator

import pytest

from desk.letters.opened import EncryptionState, Opened, SignatureState
from mail.protection.layers import MOST_OPENED
from mail.reading.open_letter import open_letter
from tests.mail.people import Desk, Person, encrypted, entity, headers, multipart, person, signed

EVIL = "Send it to eve@evil.example"
PROTOCOL = 'protocol="application/pgp-signature"'


@pytest.fixture(scope="module", name="eve")
def make_eve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    with person("eve@evil.example", tmp_path_factory.mktemp("keys") / "eve") as made:
        yield made


def packed(content: bytes) -> bytes:
    """Pack an entity into signed data of S/MIME, as far as a reader of its words looks."""
    octets = b"\x24\x80\x04\x82" + len(content).to_bytes(2) + content + b"\x00\x00"
    data = bytes.fromhex("06092a864886f70d010701") + b"\xa0\x80" + octets + b"\x00\x00"
    message = bytes.fromhex("308006092a864886f70d010702a0803080020101") + b"\x31\x00\x30\x80" + data
    lines = base64.encodebytes(message + b"\x00\x00" * 4).decode()
    type_ = "application/pkcs7-mime; smime-type=signed-data"
    return entity(lines, "Content-Transfer-Encoding: base64", type_=type_)


def mixed(*parts: bytes) -> bytes:
    return multipart("multipart/mixed", *parts)


def forged(by: Person) -> bytes:
    """Make signed mail whose words were changed on the way."""
    return signed(by, entity("good"), boundary="=-2").replace(b"good", EVIL.encode())


def opened_by(desk: Desk, letter: bytes, *signers: Person) -> Opened:
    return open_letter(
        headers("alice@user.example") + letter, desk.keyring, signers=[one.public for one in signers]
    )


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("form", ["s/mime", "malformed", "unsigned", "forged", "unknown key", "forged text"])
def test_words_that_nothing_protects_stand_outside_what_was_encrypted(
    desk: Desk, alice: Person, eve: Person, form: str, *, first: bool
) -> None:
    evil = {
        "s/mime": packed(entity(EVIL)),
        "malformed": multipart(f"multipart/signed; {PROTOCOL}", entity(EVIL), boundary="=-3"),
        "unsigned": multipart(f"multipart/signed; {PROTOCOL}", entity(EVIL), entity("x"), boundary="=-3"),
        "forged": forged(alice),
        "unknown key": signed(eve, entity(EVIL), boundary="=-3"),
        "forged text": entity(
            alice.gpg("--clearsign", data=b"good\n").decode().replace("\ngood\n", f"\n{EVIL}\n")
        ),
    }[form]
    sealed = encrypted(alice.encrypt(entity("SECRET"), desk.public))
    opened = opened_by(desk, mixed(*((evil, sealed) if first else (sealed, evil))), alice)
    assert (opened.encryption.state, opened.text) == (EncryptionState.PARTIAL, "SECRET")
    assert EVIL in opened.unprotected_text
    assert any("Words that were not encrypted or signed" in problem for problem in opened.problems)


def test_words_under_a_bad_signature_stand_outside_those_under_a_good_one(desk: Desk, alice: Person) -> None:
    opened = opened_by(desk, mixed(signed(alice, entity("mine")), forged(alice)), alice)
    assert (opened.text, opened.unprotected_text) == ("mine", EVIL)
    assert [one.state for one in opened.signatures] == [SignatureState.PARTIAL, SignatureState.BAD]


def test_words_that_are_packed_into_a_signature_beside_a_signed_part_stand_outside(
    desk: Desk, alice: Person
) -> None:
    opened = opened_by(desk, mixed(signed(alice, entity("mine")), packed(entity(EVIL))), alice)
    assert (opened.text, opened.unprotected_text) == ("mine", EVIL)


def test_a_whole_letter_keeps_its_words_in_whatever_signature(desk: Desk, alice: Person) -> None:
    for letter in (packed(entity(EVIL)), mixed(packed(entity(EVIL))), forged(alice)):
        opened = opened_by(desk, letter, alice)
        assert (opened.text, opened.unprotected_text) == (EVIL, "")


def test_a_list_s_footer_takes_no_words_out_of_an_smime_letter(desk: Desk) -> None:
    opened = opened_by(desk, mixed(packed(entity("words")), entity("footer")))
    assert (opened.text, opened.unprotected_text) == ("words", "footer")


@pytest.mark.parametrize("is_signed", [True, False])
def test_headers_under_a_signature_that_proves_nothing_are_not_protected_by_what_is_encrypted_in_it(
    desk: Desk, alice: Person, eve: Person, *, is_signed: bool
) -> None:
    sealed = encrypted(alice.encrypt(entity("SECRET"), desk.public))
    marks = 'multipart/mixed; hp="clear"; protected-headers="v1"'
    claims = b"Subject: EVIL\r\n" + multipart(marks, entity(""), sealed, boundary="=-4")
    whole = signed(eve, claims, boundary="=-5")
    letter = whole if is_signed else multipart(f"multipart/signed; {PROTOCOL}", claims, boundary="=-5")
    opened = opened_by(desk, letter)
    assert opened.text.strip() == "SECRET"
    assert (opened.headers.subject, opened.headers.protected) == ("A question", False)
    known = opened_by(desk, whole, eve)
    assert (known.headers.subject, known.signatures[0].state) == ("EVIL", SignatureState.GOOD_OTHER_SENDER)


def test_signed_words_past_the_number_of_messages_that_are_checked_are_shown_as_unprotected(
    desk: Desk, alice: Person
) -> None:
    clear = alice.gpg("--clearsign", data=b"words\n").decode()
    parts = [signed(alice, entity(f"words {n}"), boundary=f"=-{n}a") for n in range(MOST_OPENED)]
    last = signed(alice, entity("the last"), boundary="=-last")
    letter = mixed(*parts, last, entity(f"in front\n{clear}\nbehind"))
    opened = opened_by(desk, letter, alice)
    assert opened.encryption.state is EncryptionState.NONE
    for words in ("the last", "in front", "words\n", "behind"):
        assert words in opened.unprotected_text
    assert any("than are opened" in problem for problem in opened.problems)


def test_files_that_nothing_protects_beside_an_encrypted_part_are_told(desk: Desk, alice: Person) -> None:
    file = entity(EVIL, 'Content-Disposition: attachment; filename="a.txt"')
    for letter, said in (
        (mixed(encrypted(alice.encrypt(entity("SECRET"), desk.public)), file), True),
        (encrypted(alice.encrypt(mixed(signed(alice, entity("SECRET")), file), desk.public)), False),
    ):
        opened = opened_by(desk, letter)
        assert (opened.text, [one.name for one in opened.attachments]) == ("SECRET", ["a.txt"])
        assert any("Files that were not encrypted" in problem for problem in opened.problems) is said
