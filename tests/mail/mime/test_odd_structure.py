# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters that are built unlike the standards, as programs that people use build them."""

import pytest

from desk.letters.opened import EncryptionState, Opened
from mail.reading.open_letter import open_letter
from tests.mail.people import Desk, Person, encrypted, entity, headers, multipart

ATTACHED = "Content-Disposition: attachment"
TOLD_APART = "The letter's parts are not marked as it says; they were told apart all the same."


def opened_by(desk: Desk, letter: bytes) -> Opened:
    return open_letter(headers("alice@user.example") + letter, desk.keyring)


def names(opened: Opened) -> list[str]:
    return [one.name for one in opened.attachments]


@pytest.mark.parametrize(
    "type_", ["multipart/mixed; boundary=other", "multipart/mixed", 'multipart/mixed; boundary=""']
)
def test_parts_are_told_apart_also_by_another_boundary_than_was_said(desk: Desk, type_: str) -> None:
    letter = multipart(
        "multipart/mixed", entity("words"), entity("x", ATTACHED, type_="image/png; name=a.png")
    )
    said = letter.replace(b'multipart/mixed; boundary="=-limit"', type_.encode(), 1)
    opened = opened_by(desk, said)
    assert (opened.text, names(opened), opened.problems) == ("words", ["a.png"], (TOLD_APART,))


def test_words_around_guessed_parts_are_shown(desk: Desk) -> None:
    parts = multipart(
        "multipart/mixed", entity("words"), entity("x", ATTACHED, type_="image/png; name=a.png")
    )
    body = parts.partition(b"\r\n\r\n")[2]
    for end in (b"", b"\r\nthe end\r\n"):
        opened = opened_by(desk, b"Content-Type: multipart/mixed\r\n\r\nMy log:\r\n" + body + end)
        assert opened.text.split() == ["My", "log:", "words", *end.decode().split()]
        assert (names(opened), opened.problems) == (["a.png"], (TOLD_APART,))


def test_what_mail_programs_write_before_guessed_parts_is_not_shown(desk: Desk) -> None:
    body = multipart("multipart/mixed", entity("words"), entity("more")).partition(b"\r\n\r\n")[2]
    told = b"This is a multi-part message in MIME format.\r\n"
    assert opened_by(desk, b"Content-Type: multipart/mixed\r\n\r\n" + told + body).text == "words\n\nmore"


def test_under_a_protection_too_it_is_told_that_parts_were_guessed(desk: Desk, alice: Person) -> None:
    letter = encrypted(alice.encrypt(entity("sealed"), desk.public))
    said = letter.replace(b'boundary="=-sealed"', b"boundary=other", 1)
    opened = opened_by(desk, said)
    assert (opened.text, opened.encryption.state) == ("sealed", EncryptionState.OK)
    assert opened.problems == (TOLD_APART,)
    for words in (said.replace(b"\r\n\r\n", b"\r\n\r\nEVIL\r\n", 1), said + b"EVIL\r\n"):
        opened = opened_by(desk, words)
        assert (opened.text, opened.encryption.state) == ("", EncryptionState.BROKEN)
        assert "EVIL" in opened.unprotected_text


def test_words_between_dashes_are_no_boundary(desk: Desk) -> None:
    text = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--\r\nKim\r\n--Content:\r\nof my mail\r\n"
    assert "of my mail" in opened_by(desk, text.encode()).text


def test_a_header_that_is_folded_without_a_blank_is_read_whole(desk: Desk) -> None:
    letter = multipart("multipart/mixed", entity("words"), entity("x", type_='image/png;\r\nname="a.png"'))
    for end in (b"\r\n", b"\n"):
        folded = letter.replace(b'; boundary="', b';\r\nboundary="', 1).replace(b"\r\n", end)
        opened = opened_by(desk, folded)
        assert (opened.text, names(opened), opened.problems) == ("words", ["a.png"], ())


def test_a_line_like_a_parameter_after_whole_headers_is_text(desk: Desk) -> None:
    assert opened_by(desk, b"X-Odd: yes\r\nname=words\r\n").text == "name=words\n"


@pytest.mark.parametrize("type_", ["text/enriched", "text/x-amp-html", "application/rtf", "text/watch-html"])
def test_a_further_form_of_the_text_is_no_file(desk: Desk, type_: str) -> None:
    letter = multipart(
        "multipart/alternative",
        entity("words"),
        entity("x", type_=type_),
        entity("<p>words", type_="text/html"),
    )
    opened = opened_by(desk, letter)
    assert (opened.text, names(opened)) == ("words", [])
    named = multipart("multipart/alternative", entity("words"), entity("x", type_=f"{type_}; name=a.x"))
    assert names(opened_by(desk, named)) == ["a.x"]


def test_text_files_in_the_form_that_is_not_shown_are_kept(desk: Desk) -> None:
    """Apple Mail puts files between pieces of HTML."""
    file = entity("notes", f"{ATTACHED}; filename=notes.txt")
    rich = multipart("multipart/mixed", entity("<p>hi", type_="text/html"), file, boundary="=-rich")
    opened = opened_by(desk, multipart("multipart/alternative", entity("hi"), rich))
    assert (opened.text, names(opened)) == ("hi", ["notes.txt"])


def test_what_looks_like_a_command_of_enriched_text_stays_in_markdown(desk: Desk) -> None:
    part = entity("Type <enter> and List<String>", type_="text/markdown")
    assert opened_by(desk, multipart("multipart/mixed", part)).text == "Type <enter> and List<String>"


def test_a_line_that_begins_with_from_ends_the_headers(desk: Desk) -> None:
    for line in ("From here on it fails", ">From here on it fails"):
        assert opened_by(desk, f"X-Odd: yes\r\n{line}\r\nagain".encode()).text == f"{line}\nagain"


def test_lines_of_mailbox_files_before_the_headers_are_left_out(desk: Desk) -> None:
    lines = b"From kim Thu Jan  1 00:00:00 2026\n>From kim Thu Jan  1 00:00:00 2026\n"
    opened = open_letter(lines + b"From: kim@user.example\n\nwords", desk.keyring)
    assert (opened.headers.sender, opened.text) == ("kim@user.example", "words")


def test_enriched_text_and_markdown_are_words(desk: Desk) -> None:
    rich = entity("<color><param>red</param>Hello</color> <bold>you</bold>", type_="text/enriched")
    opened = opened_by(desk, multipart("multipart/mixed", rich, entity("# there", type_="text/markdown")))
    assert (opened.text, names(opened)) == ("Hello you\n\n# there", [])


def test_a_signature_of_an_unknown_kind_is_no_bad_one(desk: Desk) -> None:
    for type_ in ('multipart/signed; protocol="application/x-seal"', "multipart/signed"):
        seal = entity("x", type_="application/x-seal; name=seal")
        opened = opened_by(desk, multipart(type_, entity("words"), seal))
        assert (opened.form, opened.text, opened.signatures) == ("plain", "words", ())
        assert names(opened) == ["seal"]


def test_certificates_are_a_file_and_no_encrypted_words(desk: Desk) -> None:
    type_ = 'application/pkcs7-mime; smime-type=certs-only; name="kim.p7c"'
    opened = opened_by(desk, entity("x", type_=type_))
    assert (opened.form, opened.encryption.state) == ("plain", EncryptionState.NONE)
    assert names(opened) == ["kim.p7c"]


def test_a_key_whose_armor_lacks_padding_is_read(desk: Desk, alice: Person) -> None:
    armor = alice.public.replace(b"=\n=", b"\n=")
    padded = armor.replace(b"\n=", b"==\n=")
    for key in (armor, padded):
        part = entity(key.decode(), type_="application/pgp-keys; name=key.asc")
        opened = opened_by(desk, multipart("multipart/mixed", entity("my key"), part))
        assert [one.fingerprint for one in opened.keys] == [alice.fingerprint]


def test_where_a_letter_only_passes_a_mail_on_its_words_are_shown(desk: Desk) -> None:
    mail = "From: bob@user.example\r\nSubject: Hi\r\n\r\nBob's words"
    passed = entity(mail, type_="message/rfc822")
    for letter in (passed, multipart("multipart/mixed", entity("\n"), passed)):
        opened = opened_by(desk, letter)
        assert (opened.text.strip(), names(opened)) == ("Bob's words", ["unnamed"])
        assert any("no words of its own" in problem for problem in opened.problems)
    own = opened_by(desk, multipart("multipart/mixed", entity("See below."), passed))
    assert (own.text, names(own), own.problems) == ("See below.", ["unnamed"], ())


def test_only_the_first_mail_that_is_passed_on_is_looked_into(desk: Desk) -> None:
    mail = "words"
    for _ in range(2000):
        mail = f"Content-Type: message/rfc822\r\n\r\n{mail}"
    opened = opened_by(desk, mail.encode())
    assert (opened.text, names(opened)) == ("", ["unnamed"])


@pytest.mark.parametrize(
    "type_", ['"application/pdf"', "application/pdf name=a.pdf", "application/pdf (a file)"]
)
def test_a_type_that_is_written_oddly_counts(desk: Desk, type_: str) -> None:
    opened = opened_by(desk, multipart("multipart/mixed", entity("words"), entity("x", type_=type_)))
    assert [one.type for one in opened.attachments] == ["application/pdf"]


def test_what_is_no_type_is_text(desk: Desk) -> None:
    for type_ in ("text", "application//pdf", "a/b/c", "=?utf-8?q?x?="):
        assert opened_by(desk, entity("words", type_=type_)).text == "words"


def test_what_names_no_type_in_a_digest_is_a_mail(desk: Desk) -> None:
    mails = [f"\r\nFrom: {who}@user.example\r\n\r\nI am {who}.".encode() for who in ("bob", "kim")]
    digest = multipart("multipart/digest", *mails, entity("The end."), boundary="=-digest")
    opened = opened_by(desk, multipart("multipart/mixed", entity("Two mails."), digest))
    assert opened.text == "Two mails.\n\nThe end."
    assert [one.type for one in opened.attachments] == ["message/rfc822"] * 2
    assert opened.attachments[0].content.endswith(b"I am bob.")


def test_a_letter_whose_lines_end_with_cr_keeps_its_words(desk: Desk, alice: Person) -> None:
    letter = headers("alice@user.example", "Mac") + multipart("multipart/mixed", entity("one\ntwo"))
    opened = open_letter(letter.replace(b"\r\n", b"\r"), desk.keyring)
    assert (opened.headers.subject, opened.text) == ("Mac", "one\ntwo")
    sealed = encrypted(alice.encrypt(entity("one\ntwo").replace(b"\r\n", b"\r"), desk.public))
    assert open_letter(headers("alice@user.example") + sealed, desk.keyring).text == "one\ntwo"


STRAY = "From: a@user.example\nSubject: Hi\nthere\nDate: Mon, 02 Mar 2026 09:14:00 +0000\n\nMy words.\n"


def test_a_header_line_without_a_colon_hides_nothing_and_is_told(desk: Desk) -> None:
    opened = open_letter(STRAY.encode(), desk.keyring)
    assert (opened.headers.sender, opened.headers.subject, opened.text) == (
        "a@user.example",
        "Hi there",
        "My words.\n",
    )
    assert any("without a colon" in problem for problem in opened.problems)


def test_a_text_right_behind_the_header_fields_stays_text(desk: Desk) -> None:
    opened = open_letter(
        b"From: a@user.example\r\nHello, it\r\nhappened.\r\nFrom there on: no.\r\n\r\nBye\r\n", desk.keyring
    )
    assert opened.text == "Hello, it\nhappened.\nFrom there on: no.\n\nBye\n"


def test_a_piece_of_an_encrypted_letter_is_no_letter_in_clear(desk: Desk) -> None:
    head = b'From: a@user.example\r\nContent-Type: message/partial; id="x"; number=1; total=2\r\n\r\n'
    inner = b'Content-Type: multipart/encrypted; boundary="b"\r\n\r\n--b\r\n'
    assert open_letter(head + inner, desk.keyring).encryption.state is EncryptionState.BROKEN


def test_the_words_of_a_report_without_text_are_shown(desk: Desk) -> None:
    report = (
        b"From: MAILER-DAEMON@mx.example\r\n"
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n"
        b"Final-Recipient: rfc822; kim@user.example\r\nDiagnostic-Code: smtp; 550 no such user\r\n--b--\r\n"
    )
    opened = open_letter(report, desk.keyring)
    assert "550 no such user" in opened.text
    assert any("report of a mail server" in problem for problem in opened.problems)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("disposition-notification", "message/disposition-notification"),
        ("feedback-report", "message/feedback-report"),
        ("delivery-status", "message/xdelivery-status"),
    ],
)
def test_a_report_of_any_kind_shows_its_words_where_it_has_no_text(
    desk: Desk, kind: str, status: str
) -> None:
    report = (
        f"From: kim@user.example\r\nContent-Type: multipart/report; report-type={kind}; boundary=b\r\n\r\n"
        f"--b\r\nContent-Type: text/plain\r\n\r\n\r\n--b\r\nContent-Type: {status}\r\n\r\n"
        "Reason: the words of the report\r\n--b--\r\n"
    )
    assert "the words of the report" in open_letter(report.encode(), desk.keyring).text


def test_the_last_piece_of_an_encrypted_letter_is_no_letter_in_clear(desk: Desk) -> None:
    head = b'From: a@user.example\r\nContent-Type: message/partial; id="x"; number=2; total=2\r\n\r\n'
    data = b"A" * 64 + b"\r\n=abcd\r\n-----END PGP MESSAGE-----\r\n"
    assert open_letter(head + data, desk.keyring).encryption.state is not EncryptionState.NONE
    words = b"It ends with\r\n-----END PGP MESSAGE-----\r\n"
    assert open_letter(head + words, desk.keyring).encryption.state is EncryptionState.NONE
