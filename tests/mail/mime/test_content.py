# SPDX-License-Identifier: AGPL-3.0-or-later
"""Texts, attachments, offered keys and signs of programs in letters of all shapes."""

import base64
import datetime as dt
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from desk.letters.opened import Automatic, Opened, Unopenable
from mail.openpgp.packets import dearmor
from mail.reading.open_letter import open_letter
from tests.mail.people import Desk, Person, entity, headers, multipart, person, signed

HTML = "text/html; charset=utf-8"


def open_from_alice(desk: Desk, letter: bytes, *more: str, mail_from: str | None = None) -> Opened:
    raw = headers("alice@user.example", "A question", *more) + letter
    return open_letter(raw, desk.keyring, mail_from=mail_from)


def test_plain_text_is_preferred_to_html(desk: Desk) -> None:
    both = multipart("multipart/alternative", entity("plain"), entity("<b>rich</b>", type_=HTML))
    opened = open_from_alice(desk, both)
    assert (opened.text, opened.problems) == ("plain", ())


def test_an_empty_plain_text_does_not_hide_the_html(desk: Desk) -> None:
    both = multipart("multipart/alternative", entity(" \n"), entity("<b>rich</b>", type_=HTML))
    assert open_from_alice(desk, both).text == "rich"


def test_html_shows_where_links_lead_and_fetches_nothing(desk: Desk) -> None:
    page = '<p>See <a href="http://evil.example/x">https://good.example</a></p><img src="http://t.example/p.gif">'
    opened = open_from_alice(desk, entity(page + "<script>x()</script><p>Bye", type_=HTML))
    assert opened.text == "See https://good.example <http://evil.example/x>\n\nBye"
    assert any("HTML only" in problem for problem in opened.problems)


def test_attachments_are_listed_with_harmless_names(desk: Desk) -> None:
    file = b"Content-Type: image/png\r\nContent-Disposition: attachment; "
    file += b'filename="../../etc/a\xe2\x80\xaegnp.exe"'
    file += b"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.b64encode(b"\x89PNG")
    encoded = entity("log", "Content-Disposition: attachment; filename*=utf-8''%E6%97%A5.txt")
    opened = open_from_alice(desk, multipart("multipart/mixed", entity("hello"), file, encoded))
    assert opened.text == "hello"
    assert [(one.name, one.type, one.size, one.content) for one in opened.attachments] == [
        ("a<U+202E>gnp.exe", "image/png", 4, b"\x89PNG"),
        ("日.txt", "text/plain", 3, b"log"),
    ]


@pytest.mark.parametrize(
    ("charset", "content", "text", "is_told"),
    [
        ("iso-8859-15", b"10 \xa4", "10 €", False),
        ("utf-8", "naïve".encode(), "naïve", False),
        ("ISO-8859", b"caf\xe9", "café", True),
        ("us-ascii", "naïve".encode(), "naïve", True),
        ("utf-8", b"\x93quoted\x94", "“quoted”", True),
        ("utf-8", b"\x81", "\ufffd", True),
        ("base64", b"abc", "abc", False),
        ("x\x00y", b"abc", "abc", False),
        ("utf-8", b"a\x00b\x1b[31m\x07", "a\ufffdb\ufffd[31m\ufffd", False),
    ],
)
def test_every_charset_gives_text(
    desk: Desk, charset: str, content: bytes, text: str, *, is_told: bool
) -> None:
    letter = f'Content-Type: text/plain; charset="{charset}"\r\n\r\n'.encode() + content
    opened = open_from_alice(desk, letter)
    assert opened.text == text
    assert any("charset" in problem for problem in opened.problems) is is_told


@pytest.mark.parametrize("type_", ["text/plain; name=letter.txt", "text/html; charset=utf-8; name=page.html"])
def test_the_only_text_is_read_although_it_has_a_file_name(desk: Desk, type_: str) -> None:
    named = entity("words", "Content-Disposition: inline", type_=type_)
    for letter in (named, multipart("multipart/mixed", named)):
        opened = open_from_alice(desk, letter)
        assert (opened.text, opened.attachments) == ("words", ())
    beside = open_from_alice(desk, multipart("multipart/mixed", entity("hello"), named))
    assert (beside.text, len(beside.attachments)) == ("hello", 1)


def test_an_only_text_that_is_to_be_a_file_stays_one(desk: Desk) -> None:
    file = entity("words", "Content-Disposition: attachment; filename=a.txt")
    assert [one.name for one in open_from_alice(desk, file).attachments] == ["a.txt"]


def test_parts_that_cannot_be_told_apart_are_shown_as_they_came(desk: Desk) -> None:
    opened = open_from_alice(desk, b"Content-Type: multipart/mixed; boundary=none\r\n\r\nhello")
    assert opened.text == "hello"
    assert any("cannot be told apart" in problem for problem in opened.problems)


def test_an_attached_key_is_offered(desk: Desk, alice: Person) -> None:
    part = entity(alice.public.decode(), type_="application/pgp-keys; name=key.asc")
    opened = open_from_alice(desk, multipart("multipart/mixed", entity("my key"), part))
    assert [(key.fingerprint, key.source, key.problem) for key in opened.keys] == [
        (alice.fingerprint, "attached", "")
    ]
    assert opened.attachments == ()


@pytest.mark.parametrize("name", ["key.asc", "key.gpg", "0xABCD.pub", "kim.key"])
@pytest.mark.parametrize("form", ["armored", "binary"])
def test_a_file_of_keys_is_known_by_what_is_in_it(desk: Desk, alice: Person, name: str, form: str) -> None:
    key = alice.public if form == "armored" else dearmor(alice.public)
    lines = ("Content-Transfer-Encoding: base64", f"Content-Disposition: attachment; filename={name}")
    part = entity(base64.b64encode(key).decode(), *lines, type_="application/octet-stream")
    opened = open_from_alice(desk, multipart("multipart/mixed", entity("my key"), part))
    assert [key.fingerprint for key in opened.keys] == [alice.fingerprint]
    assert opened.attachments == ()


def test_an_attached_secret_key_is_refused_and_told(desk: Desk, alice: Person) -> None:
    secret = alice.gpg("--armor", "--export-secret-keys").decode().replace("PRIVATE", "PUBLIC")
    part = entity(secret, type_="application/pgp-keys; name=key.asc")
    opened = open_from_alice(desk, multipart("multipart/mixed", entity("my key"), part))
    assert opened.keys == ()
    assert [one.name for one in opened.attachments] == ["key.asc"]
    assert any("private key" in problem for problem in opened.problems)


def test_of_many_attached_keys_only_five_cost_time(desk: Desk, alice: Person) -> None:
    part = entity(alice.public.decode() * 9, type_="application/pgp-keys; name=key.asc")
    opened = open_from_alice(desk, multipart("multipart/mixed", entity("keys"), *[part] * 9))
    assert [key.fingerprint for key in opened.keys] == [alice.fingerprint]
    assert [one.name for one in opened.attachments] == ["key.asc"] * 4
    assert "The letter offers 9 keys; only the first 5 were read." in opened.problems


@pytest.mark.parametrize("problem", ["revoked", "expired", "unusable"])
def test_what_is_wrong_with_an_offered_key_is_told(desk: Desk, tmp_path: Path, problem: str) -> None:
    with person("old@user.example", tmp_path / "old") as old:
        name = old.address
        if problem == "revoked":
            certificate = (old.home / "openpgp-revocs.d" / f"{old.fingerprint}.rev").read_bytes()
            old.gpg("--import", data=certificate.replace(b"\n:-----", b"\n-----"))
        elif problem == "expired":
            name = "past@user.example"
            past = ["--faked-system-time", "20200101T000000", "--quick-generate-key", name]
            old.gpg(*past, "future-default", "default", "1d")
        else:
            name = "signer@user.example"
            old.gpg("--quick-generate-key", name, "ed25519", "sign", "1y")
        key = old.gpg("--armor", "--export", name).decode()
    part = entity(key, type_="application/pgp-keys")
    opened = open_from_alice(desk, multipart("multipart/mixed", entity("my key"), part))
    [one] = opened.keys
    is_over = one.expires_at is not None and one.expires_at < dt.datetime.now(dt.UTC)
    assert (one.problem, is_over) == (("", True) if problem == "expired" else (problem, False))


def autocrypt(person: Person, attributes: str) -> str:
    key = base64.b64encode(person.gpg("--export", "--export-options", "export-minimal")).decode()
    return f"Autocrypt: {attributes} keydata=\r\n " + "\r\n ".join(
        key[at : at + 70] for at in range(0, len(key), 70)
    )


@pytest.mark.parametrize(
    ("attributes", "is_taken"),
    [
        ("addr=alice@user.example;", True),
        ("addr=Alice@User.example; prefer-encrypt=mutual; _note=x;", True),
        ("addr=other@user.example;", False),
        ("addr=alice@user.example; critical=x;", False),
        ("addr=alice@user.example; keydata=!!!!; _x=", False),
        (f"addr=alice@user.example; _pad={'x' * 11_000};", False),
    ],
)
def test_an_autocrypt_key_is_offered_only_for_its_sender(
    desk: Desk, alice: Person, attributes: str, *, is_taken: bool
) -> None:
    opened = open_from_alice(desk, entity("hi"), autocrypt(alice, attributes))
    taken = [(alice.fingerprint, "autocrypt")] if is_taken else []
    assert [(key.fingerprint, key.source) for key in opened.keys] == taken


def test_two_autocrypt_headers_or_two_senders_offer_nothing(desk: Desk, alice: Person) -> None:
    line = autocrypt(alice, "addr=alice@user.example;")
    assert open_from_alice(desk, entity("hi"), line, line).keys == ()
    assert open_from_alice(desk, entity("hi"), line, "From: b@user.example").keys == ()


@pytest.mark.parametrize(
    ("lines", "mail_from", "reason"),
    [
        ([], "alice@user.example", None),
        ([], None, None),
        (["Auto-Submitted: no"], None, None),
        (["X-Auto-Response-Suppress: All"], None, None),
        (["Auto-Submitted: auto-replied (vacation)"], None, Automatic.AUTO_REPLY),
        (["Auto-Submitted: auto-generated; x=y"], "a@b.example", Automatic.AUTO_REPLY),
        ([], "", Automatic.AUTO_REPLY),
        (["Return-Path: <>"], None, Automatic.AUTO_REPLY),
        (["Return-Path: <>"], "a@b.example", None),
        (["List-Id: <list.example>"], None, Automatic.LIST),
        (["Precedence: bulk"], None, Automatic.LIST),
        (["Precedence: first-class"], None, None),
    ],
)
def test_letters_of_programs_are_known(
    desk: Desk, lines: list[str], mail_from: str | None, reason: Automatic | None
) -> None:
    assert open_from_alice(desk, entity("hi"), *lines, mail_from=mail_from).automatic is reason


def test_bounces_and_receipts_are_told_apart(desk: Desk) -> None:
    def kind(type_: str) -> Automatic | None:
        return open_from_alice(desk, multipart(type_, entity("failed")), mail_from="").automatic

    assert kind("multipart/report; report-type=delivery-status") is Automatic.BOUNCE
    assert kind("multipart/report; report-type=disposition-notification") is Automatic.AUTO_REPLY
    bounce = headers("Mail Delivery <MAILER-DAEMON@mx.example>") + entity("failed")
    assert open_letter(bounce, desk.keyring).automatic is Automatic.BOUNCE


def test_threads_are_read_from_message_ids(desk: Desk) -> None:
    lines = ["In-Reply-To: <a@b>", "References: <r1@b>\r\n\t<r2@b> junk <r3@b"]
    found = open_from_alice(desk, entity("hi"), *lines).headers
    assert (found.in_reply_to, found.references) == (("<a@b>",), ("<r1@b>", "<r2@b>"))


def test_a_letter_without_headers_is_text(desk: Desk) -> None:
    opened = open_letter(b"hello\nworld\n", desk.keyring)
    assert (opened.text, opened.headers.sender) == ("hello\nworld\n", "")
    assert "The letter names no sender." in opened.problems


def test_a_signature_of_another_kind_is_told_as_not_checked(desk: Desk) -> None:
    type_ = 'multipart/signed; protocol="application/pkcs7-signature"'
    opened = open_from_alice(
        desk, multipart(type_, entity("hi"), entity("x", type_="application/pkcs7-signature"))
    )
    assert (opened.text, opened.signatures) == ("hi", ())
    assert any("S/MIME" in problem for problem in opened.problems)


PIECES = [
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n",
    b'Content-Type: multipart/signed; boundary="b"; protocol="application/pgp-signature"\r\n',
    b"Content-Type: multipart/encrypted; boundary=c\r\n\r\n",
    b"Content-Type: multipart/alternative; boundary=\r\n",
    b"Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n",
    b"Content-Type: application/octet-stream\r\n\r\n",
    b"Content-Type: application/pgp-keys\r\n\r\n",
    b"Content-Type: text/html; charset=\"utf-16\"\r\n\r\n<p><a href='x'>",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Disposition: attachment; filename*0*=x''%ff; filename*1=y\r\n",
    b"From: =?utf-8?b?/w==?= <a@b.example>\r\n",
    b"Autocrypt: addr=a@b.example; keydata=AAAA\r\n",
    b"Subject: Bug report: " + b"a" * 32 + b"\r\n",
    b"Subject: x\nFrom: y\nOpenPGP-Key: included below\n",
    b"-----BEGIN PGP MESSAGE-----\n\n",
    b"-----END PGP MESSAGE-----\n",
    b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n",
    b"-----BEGIN PGP SIGNATURE-----\n\n",
    b"-----END PGP SIGNATURE-----\n",
    b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n",
    b"\n======= content of /proc/cmdline =======\n",
    b"--b\r\n",
    b"--b--\r\n",
    b"--c\n",
    b"\r\n",
    b"\n\n",
]


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.sampled_from(PIECES) | st.binary(max_size=60), max_size=14))
def test_whatever_arrives_is_opened_or_refused_in_words(desk: Desk, pieces: list[bytes]) -> None:
    with suppress(Unopenable):
        opened = open_letter(b"".join(pieces), desk.keyring)
        assert not set("\r\n") & set(opened.headers.subject + opened.headers.sender_name)
        assert opened.text == opened.text.encode().decode()


def test_every_cut_and_flip_of_a_signed_letter_is_survived(desk: Desk, alice: Person) -> None:
    raw = headers(alice.address) + signed(alice, entity("hello"))
    for at in range(0, len(raw), 41):
        for broken in (raw[:at], raw[:at] + b"\xff" + raw[at + 1 :]):
            opened = open_letter(broken, desk.keyring, signers=[alice.public])
            assert opened.encryption.detail == ""
