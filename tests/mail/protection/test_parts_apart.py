# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters whose parts were protected each on its own: one verdict, no better than the worst part."""

import base64
from collections.abc import Iterator

import pytest

from desk.letters.opened import EncryptionState, Opened, SignatureState
from mail.openpgp.packets import dearmor
from mail.protection.layers import MOST_OPENED
from mail.reading.open_letter import open_letter
from tests.mail.people import Desk, Person, encrypted, entity, headers, multipart, person, signed

NONE, OK, PARTIAL = EncryptionState.NONE, EncryptionState.OK, EncryptionState.PARTIAL
SHUT, BROKEN = EncryptionState.UNDECRYPTABLE, EncryptionState.BROKEN
GOOD, PART = SignatureState.GOOD, SignatureState.PARTIAL


@pytest.fixture(scope="module", name="bob")
def make_bob(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    with person("bob@user.example", tmp_path_factory.mktemp("keys") / "bob") as made:
        yield made


def mixed(*parts: bytes) -> bytes:
    return multipart("multipart/mixed", *parts)


def attached(content: bytes, name: str, type_: str = "application/octet-stream") -> bytes:
    text = base64.encodebytes(content).decode().replace("\n", "\r\n")
    head = f'Content-Type: {type_}; name="{name}"\r\nContent-Disposition: attachment; filename="{name}"\r\n'
    return f"{head}Content-Transfer-Encoding: base64\r\n\r\n{text}".encode()


def opened_by(desk: Desk, letter: bytes, *signers: Person) -> Opened:
    return open_letter(
        headers("alice@user.example") + letter, desk.keyring, signers=[one.public for one in signers]
    )


def files(opened: Opened) -> list[tuple[str, bytes]]:
    return [(one.name, one.content) for one in opened.attachments]


def states(opened: Opened) -> list[tuple[SignatureState, str]]:
    return [(one.state, one.covers) for one in opened.signatures]


def test_several_encrypted_parts_are_all_opened(desk: Desk, alice: Person) -> None:
    parts = [
        encrypted(alice.encrypt(entity(words), desk.public), boundary=f"=-{words}")
        for words in ("ONE", "TWO")
    ]
    opened = opened_by(desk, mixed(*parts))
    assert (opened.encryption.state, opened.text) == (OK, "ONE\n\nTWO")
    assert len(set(opened.sessions)) == 2
    assert any("several protected parts" in problem for problem in opened.problems)
    beside = opened_by(desk, mixed(*parts, entity("footer")))
    assert (beside.encryption.state, beside.unprotected_text) == (PARTIAL, "footer")


def test_one_part_that_does_not_open_makes_it_partial_and_shows_nothing_of_it(
    desk: Desk, alice: Person, bob: Person
) -> None:
    mine = encrypted(alice.encrypt(entity("ONE"), desk.public), boundary="=-1")
    other = encrypted(alice.encrypt(entity("TWO"), bob.public), boundary="=-2")
    opened = opened_by(desk, mixed(mine, other))
    assert (opened.encryption.state, opened.text) == (PARTIAL, "ONE")
    assert "Not all could be opened" in opened.encryption.detail
    assert opened_by(desk, mixed(entity("hello"), other)).encryption.state is SHUT


def test_an_encrypted_part_beside_a_signed_one_is_told_as_a_part(desk: Desk, alice: Person) -> None:
    sealed = encrypted(alice.encrypt(entity("SECRET"), desk.public))
    opened = opened_by(desk, mixed(signed(alice, entity("open")), sealed), alice)
    assert (opened.encryption.state, states(opened)) == (PARTIAL, [(PART, "part")])
    assert opened.text == "open\n\nSECRET"


def test_an_empty_text_beside_the_protected_part_takes_nothing_from_it(desk: Desk, alice: Person) -> None:
    letter = mixed(entity(" \n"), signed(alice, entity("signed")))
    opened = opened_by(desk, letter, alice)
    assert (opened.form, states(opened), opened.unprotected_text) == ("pgp/mime signed", [(GOOD, "all")], "")


def test_words_beside_a_signed_part_inside_an_encryption_were_encrypted(desk: Desk, alice: Person) -> None:
    inside = mixed(entity("before"), signed(alice, entity("signed")))
    opened = opened_by(desk, encrypted(alice.encrypt(inside, desk.public)), alice)
    assert (opened.encryption.state, states(opened)) == (OK, [(PART, "part")])
    assert (opened.text, opened.unprotected_text) == ("before\n\nsigned", "")


@pytest.mark.parametrize("binary", [True, False])
def test_a_text_and_files_encrypted_each_on_its_own_are_opened(
    desk: Desk, alice: Person, *, binary: bool
) -> None:
    sealed = alice.encrypt(b"\x89PNG", desk.public)
    file = attached(dearmor(sealed) if binary else sealed, "picture.png.pgp")
    letter = mixed(entity(alice.encrypt(b"words", desk.public).decode()), file)
    opened = opened_by(desk, letter)
    assert (opened.form, opened.encryption.state) == ("inline encrypted + encrypted attachment", OK)
    assert (opened.text, files(opened)) == ("words", [("picture.png", b"\x89PNG")])
    assert (opened.attachments[0].type, opened.unprotected_text) == ("image/png", "")


def test_an_encrypted_file_under_open_words_is_partial(desk: Desk, alice: Person) -> None:
    file = attached(alice.encrypt(b"data", desk.public), "a.txt.asc", "text/plain")
    opened = opened_by(desk, mixed(entity("open words"), file))
    assert (opened.form, opened.encryption.state) == ("encrypted attachment, in part", PARTIAL)
    assert (opened.text, opened.unprotected_text) == ("", "open words")
    assert files(opened) == [("a.txt", b"data")]


def test_a_program_in_an_encrypted_file_is_told_as_one(desk: Desk, alice: Person) -> None:
    opened = opened_by(desk, attached(alice.encrypt(b"MZ" + bytes(90), desk.public), "photo.jpg.pgp"))
    [file] = opened.attachments
    assert (file.name, file.type) == ("photo.jpg", "image/jpeg")
    assert file.danger


@pytest.mark.parametrize("type_", ["application/octet-stream", "text/plain", "application/x-unknown"])
def test_an_armored_file_is_known_under_any_name(desk: Desk, alice: Person, type_: str) -> None:
    """A banner that a server puts above an encrypted letter leaves its second part without a name."""
    sealed = alice.encrypt(entity("SECRET"), desk.public)
    version = entity("Version: 1", type_="application/pgp-encrypted")
    opened = opened_by(desk, mixed(entity("Beware!"), version, attached(sealed, "ATT1", type_)))
    assert (opened.encryption.state, opened.text, opened.unprotected_text) == (PARTIAL, "SECRET", "Beware!")


def test_a_file_that_does_not_open_stays_as_it_came(desk: Desk, alice: Person, bob: Person) -> None:
    sealed = alice.encrypt(b"data", bob.public)
    opened = opened_by(desk, mixed(entity("open words"), attached(sealed, "a.pgp")))
    assert (opened.encryption.state, files(opened)) == (SHUT, [("a.pgp", sealed)])


def test_a_whole_letter_attached_as_one_encrypted_file_is_read(desk: Desk, alice: Person) -> None:
    sealed = alice.encrypt(mixed(entity("hello"), attached(b"x", "x.bin")), desk.public)
    opened = opened_by(desk, mixed(entity(""), attached(sealed, "message.asc")))
    assert (opened.encryption.state, opened.text, files(opened)) == (OK, "hello", [("x.bin", b"x")])


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_a_file_with_its_signature_is_checked(desk: Desk, alice: Person, line_end: bytes) -> None:
    clear = entity(alice.gpg("--clearsign", data=b"words\n").decode())
    content = b"one\ntwo\n"
    file = attached(content.replace(b"\n", line_end), "list.txt", "text/plain")
    signature = attached(dearmor(alice.sign(content)), "list.txt.sig")
    opened = opened_by(desk, mixed(clear, file, signature), alice)
    assert opened.form == "clearsigned + signed attachment"
    assert states(opened) == [(GOOD, "part"), (GOOD, "part")]
    assert [one.name for one in opened.attachments] == ["list.txt"]
    forged = attached(b"other", "list.txt", "text/plain")
    changed = opened_by(desk, mixed(clear, forged, signature), alice)
    assert states(changed) == [(PART, "part"), (SignatureState.BAD, "part")]


def test_an_unsigned_file_beside_a_signed_text_makes_it_partial(desk: Desk, alice: Person) -> None:
    clear = entity(alice.gpg("--clearsign", data=b"words\n").decode())
    opened = opened_by(desk, mixed(clear, attached(b"x", "x.bin")), alice)
    assert (opened.text, states(opened)) == ("words\n", [(PART, "part")])


def test_parts_signed_by_different_people_are_never_told_as_signed(
    desk: Desk, alice: Person, bob: Person
) -> None:
    letter = mixed(signed(alice, entity("mine"), boundary="=-1"), signed(bob, entity("his"), boundary="=-2"))
    assert states(opened_by(desk, letter, alice, bob)) == [(PART, "part"), (PART, "part")]


def test_armor_in_html_is_opened_and_its_copy_beside_plain_text_is_left_out(
    desk: Desk, alice: Person
) -> None:
    armor = alice.encrypt("grüße".encode(), desk.public).decode()
    page = entity(f"<html><body><pre>{armor}</pre></body></html>", type_="text/html; charset=utf-8")
    broken = entity("<div>" + armor.replace("\n", "<br>\n") + "</div>", type_="text/html; charset=utf-8")
    both = multipart("multipart/alternative", entity(armor), page)
    for letter in (page, broken, both):
        opened = opened_by(desk, letter)
        assert (opened.form, opened.encryption.state) == ("inline encrypted", OK)
        assert (opened.text, opened.unprotected_text) == ("grüße", "")


@pytest.mark.parametrize("header", ["", "Version: GnuPG v2.0 (GNU/Linux)\n"])
@pytest.mark.parametrize("way", ["indented", "behind words", "one line", "indented page"])
def test_an_armored_message_that_has_lost_its_lines_is_opened(
    desk: Desk, alice: Person, header: str, way: str
) -> None:
    armor = alice.encrypt(b"SECRET", desk.public).decode()
    armor = armor.replace("MESSAGE-----\n", f"MESSAGE-----\n{header}", 1)
    indented = "  " + armor.replace("\n", "\n  ")
    letter = {
        "indented": entity(indented),
        "behind words": entity(f"Hello: {armor}"),
        "one line": entity(armor.replace("\n", " ")),
        "indented page": entity(f"<pre>{indented}</pre>", type_="text/html"),
    }[way]
    opened = opened_by(desk, letter)
    beside = "Hello:" if way == "behind words" else ""
    assert (opened.text, opened.unprotected_text) == ("SECRET", beside)
    assert opened.encryption.state is (PARTIAL if beside else OK)


def test_a_signature_that_belongs_to_no_part_any_more_is_told(desk: Desk, alice: Person) -> None:
    signature = attached(alice.sign(b"words"), "signature.asc", "application/pgp-signature")
    opened = opened_by(desk, mixed(entity("words"), signature), alice)
    assert (opened.form, opened.signatures) == ("plain", ())
    assert any("it was not checked" in problem for problem in opened.problems)


def test_a_signed_text_that_has_lost_its_end_or_lines_is_told(desk: Desk, alice: Person) -> None:
    clear = alice.gpg("--armor", "--clearsign", data=b"words").decode()
    indented = "  " + clear.replace("\n", "\n  ")
    for text in (clear[:-60], clear.replace("\n", " "), indented):
        opened = opened_by(desk, entity(text), alice)
        assert (opened.form, opened.signatures) == ("plain", ())
        assert any("its signature was not checked" in problem for problem in opened.problems)
    quoted = "> " + clear.replace("\n", "\n> ")
    assert opened_by(desk, entity(f"Is this yours?\n{quoted}"), alice).problems == ()


@pytest.mark.parametrize("form", ["pgp/mime", "inline"])
def test_an_encrypted_mail_that_is_passed_on_is_told_and_not_opened(
    desk: Desk, alice: Person, form: str
) -> None:
    sealed = alice.encrypt(entity("SECRET"), desk.public)
    inside = encrypted(sealed) if form == "pgp/mime" else entity(sealed.decode())
    passed = b"Content-Type: message/rfc822\r\n\r\n" + headers("bob@user.example") + inside
    opened = opened_by(desk, mixed(entity("see below"), passed))
    assert (opened.text, opened.encryption.state) == ("see below", NONE)
    assert any("which was not opened" in problem for problem in opened.problems)
    plain = passed.replace(inside, entity("words"))
    assert opened_by(desk, mixed(entity("see below"), plain)).problems == ()


def test_a_message_that_is_quoted_is_not_opened(desk: Desk, alice: Person) -> None:
    armor = alice.encrypt(b"SECRET", desk.public).decode()
    for mark in ("> ", ">  ", "| "):
        quoted = mark + armor.replace("\n", f"\n{mark}")
        opened = opened_by(desk, entity(f"What is this?\n{quoted}"))
        assert (opened.form, opened.encryption.state) == ("plain", NONE)


def test_other_words_in_the_plain_form_are_shown_beside_armor_in_html(desk: Desk, alice: Person) -> None:
    armor = alice.encrypt(b"SECRET", desk.public).decode()
    letter = multipart(
        "multipart/alternative", entity("other"), entity(f"<pre>{armor}</pre>", type_="text/html")
    )
    opened = opened_by(desk, letter)
    assert (opened.encryption.state, opened.text, opened.unprotected_text) == (PARTIAL, "SECRET", "other")


def test_more_parts_than_are_opened_are_left_shut(desk: Desk, alice: Person) -> None:
    sealed = alice.encrypt(b"words", desk.public)
    opened = opened_by(desk, mixed(*(attached(sealed, f"{n}.pgp") for n in range(MOST_OPENED + 5))))
    assert opened.encryption.state is PARTIAL
    assert len(opened.attachments) == MOST_OPENED
    assert any("than are opened" in problem for problem in opened.problems)


SMIME_SIGNED = bytes.fromhex("308006092a864886f70d010702") + b"\xa0\x80"
SMIME_SHUT = bytes.fromhex("308006092a864886f70d010703") + b"\xa0\x80"


@pytest.mark.parametrize(
    ("type_", "content", "form", "state"),
    [
        ("application/pkcs7-mime; smime-type=enveloped-data", SMIME_SHUT, "s/mime encrypted", SHUT),
        ("application/pkcs7-mime; smime-type=authEnveloped-data", b"", "s/mime encrypted", SHUT),
        ("application/x-pkcs7-mime", SMIME_SHUT, "s/mime encrypted", SHUT),
        ("application/pkcs7-mime; smime-type=signed-data", SMIME_SIGNED, "s/mime signed", NONE),
        ("application/x-pkcs7-mime", SMIME_SIGNED, "s/mime signed", NONE),
        ("application/octet-stream", SMIME_SHUT, "s/mime encrypted", SHUT),
    ],
)
def test_smime_is_told_and_the_user_is_to_be_asked(
    desk: Desk, type_: str, content: bytes, form: str, state: EncryptionState
) -> None:
    opened = opened_by(desk, attached(content, "smime.p7m", type_))
    assert (opened.form, opened.encryption.state, opened.text) == (form, state, "")
    assert files(opened) == [("smime.p7m", content)]
    said = " ".join([opened.encryption.detail, *opened.problems])
    assert "S/MIME" in said
    assert "Ask the user" in said


def test_a_text_with_an_smime_signature_is_read_and_armor_in_it_is_opened(desk: Desk, alice: Person) -> None:
    kind = 'multipart/signed; protocol="application/pkcs7-signature"'
    signature = attached(b"x", "smime.p7s", "application/pkcs7-signature")
    opened = opened_by(desk, multipart(kind, entity("hello"), signature))
    assert (opened.text, states(opened)) == ("hello", [])
    assert any("S/MIME signature, which is not checked" in problem for problem in opened.problems)
    armor = alice.encrypt(b"SECRET", desk.public).decode()
    hidden = opened_by(desk, multipart(kind, entity(armor), signature))
    assert (hidden.encryption.state, hidden.text) == (PARTIAL, "SECRET")
    assert opened.form == "s/mime signed"


def test_a_message_inside_a_message_is_opened_too(desk: Desk, alice: Person) -> None:
    clear = alice.gpg("--clearsign", data=b"words\n")
    both = opened_by(desk, entity(alice.encrypt(clear, desk.public).decode()), alice)
    assert (both.form, both.encryption.state) == ("inline encrypted, clearsigned", OK)
    assert (both.text, states(both)) == ("words\n", [(GOOD, "all")])
    twice = opened_by(desk, entity(alice.gpg("--clearsign", data=clear).decode()), alice)
    assert (twice.text, states(twice)) == ("words\n", [(GOOD, "all"), (GOOD, "all")])
    sealed = alice.encrypt(b"SECRET", desk.public)
    hidden = opened_by(desk, entity(alice.gpg("--clearsign", data=sealed).decode()), alice)
    assert (hidden.encryption.state, hidden.text) == (OK, "SECRET")


def test_an_armored_message_without_its_end_is_broken_and_not_open_words(desk: Desk, alice: Person) -> None:
    armor = alice.encrypt(b"SECRET " * 100, desk.public, "-z", "0").decode()
    opened = opened_by(desk, entity("hello\n" + armor[: len(armor) // 2]))
    assert (opened.encryption.state, opened.text, opened.unprotected_text) == (BROKEN, "", "hello")
    asked = opened_by(desk, entity("What is\n-----BEGIN PGP MESSAGE-----\nin my mail?"))
    assert (asked.encryption.state, asked.form) == (NONE, "plain")


def test_messages_in_messages_end_somewhere(desk: Desk, alice: Person) -> None:
    text = b"deep"
    for _ in range(MOST_OPENED + 1):
        text = alice.encrypt(text, desk.public)
    opened = opened_by(desk, entity(text.decode()))
    assert opened.encryption.state is SHUT
    assert "deep" not in repr(opened)
