# SPDX-License-Identifier: AGPL-3.0-or-later
"""Keys that stand in a letter: whose they are, and that no words go with them."""

import base64
from collections.abc import Iterator

import pytest

from desk.letters.opened import Opened
from mail.reading.open_letter import open_letter
from mail.reading.sender_keys import _ELSES
from tests.mail.people import Desk, Person, encrypted, entity, headers, multipart, person

NAMED = 'Content-Disposition: attachment; filename="{}"'


@pytest.fixture(scope="module", name="eve")
def make_eve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    with person("eve@evil.example", tmp_path_factory.mktemp("keys") / "eve") as made:
        yield made


def mixed(*parts: bytes) -> bytes:
    return multipart("multipart/mixed", *parts)


def key_file(key: bytes, name: str = "", type_: str = "application/pgp-keys") -> bytes:
    return entity(key.decode(), *([NAMED.format(name)] if name else []), type_=type_)


def opened_by(desk: Desk, letter: bytes, *more: str) -> Opened:
    return open_letter(headers("alice@user.example", "Hi", *more) + letter, desk.keyring)


def offered(opened: Opened) -> list[tuple[str, str]]:
    return [(key.fingerprint, key.source) for key in opened.keys]


def test_a_pasted_key_of_somebody_else_is_told_and_not_offered(
    desk: Desk, alice: Person, eve: Person
) -> None:
    words = f"Is this the right key?\n{eve.public.decode()}"
    opened = opened_by(desk, entity(words))
    assert (offered(opened), opened.problems) == ([], (_ELSES.format(eve.fingerprint),))
    both = opened_by(desk, entity(f"{words}\nMine:\n{alice.public.decode()}"))
    assert offered(both) == [(alice.fingerprint, "attached")]
    answered = opened_by(desk, entity(words), f"Reply-To: {eve.address}")
    assert offered(answered) == [(eve.fingerprint, "attached")]


def test_a_key_in_a_mail_that_is_passed_on_is_not_offered(desk: Desk, alice: Person) -> None:
    passed = headers(alice.address) + entity(f"Look:\n{alice.public.decode()}")
    opened = opened_by(desk, mixed(entity(passed.decode(), type_="message/rfc822")))
    assert "Look:" in opened.text
    assert offered(opened) == []


def test_the_senders_key_comes_first_of_several_files(desk: Desk, alice: Person, eve: Person) -> None:
    letter = mixed(entity("keys"), key_file(eve.public, "eve.asc"), key_file(alice.public, "alice.asc"))
    assert offered(opened_by(desk, letter)) == [
        (alice.fingerprint, "attached"),
        (eve.fingerprint, "attached"),
    ]


def test_a_key_beside_what_was_encrypted_is_taken_only_from_whom_it_names(
    desk: Desk, alice: Person, eve: Person
) -> None:
    sealed = encrypted(alice.encrypt(entity("SECRET"), desk.public))
    opened = opened_by(desk, mixed(sealed, key_file(eve.public, "key.asc")))
    assert (offered(opened), [one.name for one in opened.attachments]) == ([], ["key.asc"])
    assert _ELSES.format(eve.fingerprint) in opened.problems
    mine = opened_by(desk, mixed(sealed, key_file(alice.public, "key.asc")))
    assert offered(mine) == [(alice.fingerprint, "attached")]
    assert any(problem.startswith("Files that were not encrypted or signed") for problem in mine.problems)


@pytest.mark.parametrize("form", ["encrypted", "signed"])
def test_a_key_that_was_pasted_beside_what_is_protected_is_taken_only_from_whom_it_names(
    desk: Desk, alice: Person, eve: Person, form: str
) -> None:
    clear = alice.gpg("--armor", "--clearsign", data=b"words")
    armor = (alice.encrypt(b"words", desk.public) if form == "encrypted" else clear).decode()
    mine = opened_by(desk, entity(f"{armor}\n{alice.public.decode()}"))
    assert offered(mine) == [(alice.fingerprint, "attached")]
    other = opened_by(desk, entity(f"{armor}\n{eve.public.decode()}"))
    assert offered(other) == []
    assert _ELSES.format(eve.fingerprint) in other.problems


@pytest.mark.parametrize("name", ["key.asc", "key.gpg", "secret.key"])
@pytest.mark.parametrize("is_armored", [True, False])
def test_a_private_key_in_a_file_is_told_and_never_taken(
    desk: Desk, alice: Person, name: str, *, is_armored: bool
) -> None:
    secret = alice.gpg(*(["--armor"] if is_armored else []), "--export-secret-keys")
    head = f"Content-Type: application/octet-stream\r\n{NAMED.format(name)}\r\n"
    coded = f"{head}Content-Transfer-Encoding: base64\r\n\r\n".encode() + base64.encodebytes(secret)
    opened = opened_by(desk, mixed(entity("my key"), coded))
    assert (opened.keys, [one.name for one in opened.attachments]) == ((), [name])
    assert any("private key" in problem for problem in opened.problems)


@pytest.mark.parametrize("type_", ["text/plain", "application/pgp-keys", "application/octet-stream"])
def test_words_around_a_key_in_a_file_stay_a_file(desk: Desk, alice: Person, type_: str) -> None:
    words = b"My key:\n" + alice.public + b"Please tell nobody."
    opened = opened_by(desk, mixed(entity("see file"), key_file(words, "words.asc", type_)))
    assert offered(opened) == [(alice.fingerprint, "attached")]
    assert [one.name for one in opened.attachments] == ["words.asc"]
    assert b"tell nobody" in opened.attachments[0].content
    bare = opened_by(desk, mixed(entity("see file"), key_file(b"\n \n" + alice.public, "k.asc", type_)))
    assert (len(bare.keys), bare.attachments) == (1, ())


def test_a_text_with_a_file_name_that_is_the_whole_letter_keeps_its_words(desk: Desk, alice: Person) -> None:
    words = "Hello, this is my key:\n" + alice.public.decode()
    opened = opened_by(desk, entity(words, type_='text/plain; name="letter.asc"'))
    assert opened.text == words
    assert offered(opened) == [(alice.fingerprint, "attached")]


REPORT = """Subject: it is broken
From: alice@user.example
OpenPGP-Key: included below
Tails-Version: 6.1

It does not work.

{}
"""


@pytest.mark.parametrize("subject", ["Bug report: " + "a" * 32, "Bug report: garbled"])
def test_a_key_in_a_report_is_the_reports_with_or_without_its_id(
    desk: Desk, eve: Person, subject: str
) -> None:
    outer = headers("devnull@tails.boum.org", subject)
    opened = open_letter(outer + entity(REPORT.format(eve.public.decode())), desk.keyring)
    assert offered(opened) == [(eve.fingerprint, "report")]
    assert "openpgp_key" not in opened.whisperback.garbled
    torn = eve.public.decode().replace("\n\n", "\n\nAAAA", 1)
    unread = open_letter(outer + entity(REPORT.format(torn)), desk.keyring)
    assert (unread.keys, "openpgp_key" in unread.whisperback.garbled) == ((), True)
    assert any("names an OpenPGP key, but not in a form" in problem for problem in unread.problems)
