# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters as other programs and servers leave them: the same words, in forms that no standard names."""

import pytest

from desk.letters.opened import EncryptionState, Opened, SignatureState
from mail.limits import HTML_CHARS
from mail.reading.open_letter import open_letter
from tests.mail.people import Desk, Person, encrypted, entity, headers, multipart, signed

NONE, OK, BROKEN = EncryptionState.NONE, EncryptionState.OK, EncryptionState.BROKEN
GOOD, OTHER = SignatureState.GOOD, SignatureState.GOOD_OTHER_SENDER
BAD, PART = SignatureState.BAD, SignatureState.PARTIAL
EMPTY_PAGE = entity("<html><body><div>&nbsp;</div></body></html>", type_="text/html")
ATTACHED = "Content-Disposition: attachment; filename=a.asc"


@pytest.fixture(scope="module", name="clear")
def make_clear(alice: Person) -> str:
    """A clearsigned text by Alice."""
    return alice.gpg("--clearsign", data=b"SIGNED\n").decode()


def mixed(*parts: bytes) -> bytes:
    return multipart("multipart/mixed", *parts)


def opened_by(desk: Desk, letter: bytes, *signers: Person, sender: str = "alice@user.example") -> Opened:
    return open_letter(headers(sender) + letter, desk.keyring, signers=[one.public for one in signers])


def states(opened: Opened) -> list[tuple[SignatureState, str]]:
    return [(one.state, one.covers) for one in opened.signatures]


@pytest.mark.parametrize(
    ("sender", "address", "name", "state"),
    [
        ("boss@user.example <alice@user.example>", "alice@user.example", "boss@user.example", GOOD),
        ("boss@user.example      . <alice@user.example>", "alice@user.example", "boss@user.example .", GOOD),
        ("alice@user.example <boss@user.example>", "boss@user.example", "alice@user.example", OTHER),
        ("alice@user.example, x@y.example <alice@user.example>", "alice@user.example", "", GOOD),
        ("alice@user.example, alice@user.example <boss@user.example>", "alice@user.example", "", OTHER),
        ("alice@user.example\r\nSender: boss@user.example", "alice@user.example", "", OTHER),
        ("alice@user.example\r\nSender: Alice <alice@user.example>", "alice@user.example", "", GOOD),
    ],
)
def test_the_sender_is_who_stands_in_angle_brackets_and_nobody_else_sent_it(
    desk: Desk, alice: Person, sender: str, address: str, name: str, state: SignatureState
) -> None:
    opened = opened_by(desk, signed(alice, entity("hi")), alice, sender=sender)
    assert (opened.headers.sender, opened.headers.sender_name) == (address, name)
    assert states(opened) == [(state, "all")]
    assert any("display name" in problem for problem in opened.problems) == bool(name)


@pytest.mark.parametrize("front", [entity(""), EMPTY_PAGE, None])
@pytest.mark.parametrize("end", [b"--\r\n", b"\r\n", b""])
def test_what_exchange_leaves_is_repaired_whatever_is_empty_in_it(
    desk: Desk, alice: Person, front: bytes | None, end: bytes
) -> None:
    if front == EMPTY_PAGE:
        front = multipart("multipart/alternative", entity(""), EMPTY_PAGE, boundary="=-front")
    version = entity("Version: 1", type_="application/pgp-encrypted")
    data = entity(alice.encrypt(entity("safe"), desk.public).decode(), type_="application/octet-stream")
    letter = mixed(*filter(None, (front, version, data))).removesuffix(b"--\r\n") + end
    opened = opened_by(desk, letter)
    assert (opened.form, opened.encryption.state, opened.text) == ("pgp/mime encrypted", OK, "safe")
    assert opened.attachments == ()


def test_a_page_with_words_in_front_of_what_exchange_leaves_is_not_lost(desk: Desk, alice: Person) -> None:
    version = entity("Version: 1", type_="application/pgp-encrypted")
    data = entity(alice.encrypt(entity("safe"), desk.public).decode(), type_="application/octet-stream")
    page = entity("<p>pay Eve</p>", type_="text/html")
    opened = opened_by(desk, mixed(page, version, data))
    assert (opened.encryption.state, opened.unprotected_text) == (EncryptionState.PARTIAL, "pay Eve")


def test_what_stands_in_a_malformed_encrypted_letter_is_kept(desk: Desk, alice: Person) -> None:
    sealed = encrypted(alice.encrypt(entity("SECRET"), desk.public), boundary="=-1")
    added = b"--=-1\r\n" + entity("added") + b"\r\n--=-1--\r\n"
    opened = opened_by(desk, sealed.removesuffix(b"--=-1--\r\n") + added)
    assert (opened.encryption.state, opened.text, opened.unprotected_text) == (BROKEN, "", "added")
    assert [one.type for one in opened.attachments] == [
        "application/pgp-encrypted",
        "application/octet-stream",
    ]


@pytest.mark.parametrize("line", [b"From alice@user.example Thu Jan  1 00:00:00 2026", b">From alice"])
def test_a_line_of_a_mailbox_file_in_front_of_a_letter_is_no_field(desk: Desk, line: bytes) -> None:
    opened = open_letter(line + b"\r\n" + headers("alice@user.example") + entity("hi"), desk.keyring)
    assert (opened.headers.sender, opened.text) == ("alice@user.example", "hi")


def test_marks_of_a_message_without_one_between_are_words(desk: Desk, alice: Person) -> None:
    words = "Test\n\n-----BEGIN PGP MESSAGE-----\n\nwhat stands here\n-----END PGP MESSAGE-----\n"
    opened = opened_by(desk, entity(words))
    assert (opened.form, opened.encryption.state, opened.text) == ("plain", NONE, words)
    both = opened_by(desk, entity(f"{words}\n{alice.encrypt(b'SECRET', desk.public).decode()}"))
    assert (both.encryption.state, both.text) == (EncryptionState.PARTIAL, "SECRET")
    assert both.unprotected_text == words.strip()


def test_marks_of_a_signature_without_one_between_are_a_bad_signature(desk: Desk, clear: str) -> None:
    begin, end = clear.index("-----BEGIN PGP SIGNATURE"), clear.index("-----END PGP SIGNATURE")
    opened = opened_by(desk, entity(f"{clear[:begin]}-----BEGIN PGP SIGNATURE-----\n\nnone\n{clear[end:]}"))
    assert (opened.text, states(opened)) == ("", [(BAD, "all")])
    assert "SIGNED" in opened.unprotected_text


@pytest.mark.parametrize(
    ("blank", "charset"), [("\u00a0", "utf-8"), ("\u00a0", "iso-8859-1"), (" \t", "utf-8")]
)
def test_blanks_that_webmail_sets_into_armor_do_not_break_it(
    desk: Desk, alice: Person, blank: str, charset: str
) -> None:
    armor = alice.encrypt(b"SECRET", desk.public).decode().replace("\n\n", f"\n{blank}\n", 1)
    letter = entity("", type_=f"text/plain; charset={charset}") + armor.encode(charset)
    opened = opened_by(desk, letter)
    assert (opened.form, opened.encryption.state, opened.text) == ("inline encrypted", OK, "SECRET")


def test_a_signed_text_in_a_page_is_told_as_a_part_of_it(desk: Desk, alice: Person, clear: str) -> None:
    page = f'<b>You are fired!</b><div style="display: none;"><plaintext>\n\n{clear}'
    opened = opened_by(desk, entity(page, type_="text/html"), alice)
    assert (opened.text, opened.unprotected_text) == ("SIGNED\n", "You are fired!")
    assert states(opened) == [(PART, "part")]


def test_a_quoted_signed_text_in_the_page_of_an_answer_is_only_its_copy(
    desk: Desk, alice: Person, clear: str
) -> None:
    quoted = clear.replace("\nSIGNED\n", "\nSIGN ED\n").replace("\n", "<br>")
    page = f"<p>Thanks!</p><blockquote>{quoted}</blockquote>"
    letter = multipart("multipart/alternative", entity("Thanks!"), entity(page, type_="text/html"))
    opened = opened_by(desk, letter, alice)
    assert (opened.text, opened.signatures) == ("Thanks!", ())


@pytest.mark.parametrize(("change", "state"), [("SIGNED", PART), ("CHANGED", BAD)])
def test_a_signed_text_as_a_file_says_nothing_of_the_letter(
    desk: Desk, alice: Person, clear: str, change: str, state: SignatureState
) -> None:
    file = entity(clear.replace("\nSIGNED\n", f"\n{change}\n"), ATTACHED)
    for letter in (mixed(entity("You are fired!"), file), file):
        opened = opened_by(desk, letter, alice)
        assert states(opened) == [(state, "part")]
        assert [one.name for one in opened.attachments] == ["a.asc"]
        assert opened.text == ""


def test_certificates_are_no_encrypted_letter(desk: Desk) -> None:
    type_ = "application/pkcs7-mime; smime-type=certs-only; name=smime.p7c"
    opened = opened_by(desk, mixed(entity("mine"), entity("MIIB", type_=type_)))
    assert (opened.form, opened.encryption.state, opened.text) == ("plain", NONE, "mine")
    assert [one.name for one in opened.attachments] == ["smime.p7c"]


def test_a_comma_between_parameters_takes_none_of_them_away(desk: Desk, alice: Person) -> None:
    inside = entity("x", "Subject: inner", type_='text/plain; charset="utf-8", protected-headers="v1"')
    opened = opened_by(desk, encrypted(alice.encrypt(inside, desk.public)))
    assert (opened.headers.subject, opened.headers.protected, opened.problems) == ("inner", True, ())
    name = entity("x", 'Content-Disposition: attachment; filename="a,b.png"', type_="image/png")
    assert opened_by(desk, mixed(entity("hi"), name)).attachments[0].name == "a,b.png"


def test_a_signed_text_in_a_page_that_is_cut_off_is_a_part_and_says_so(
    desk: Desk, alice: Person, clear: str
) -> None:
    page = f"<pre>\n{clear}</pre>" + "<i></i>" * (HTML_CHARS // 7) + "<p>You are fired!</p>"
    opened = opened_by(desk, entity(page, type_="text/html"), alice)
    assert (opened.text, states(opened)) == ("SIGNED\n", [(PART, "part")])
    assert "the rest is left out" in opened.unprotected_text
