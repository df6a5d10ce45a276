# SPDX-License-Identifier: AGPL-3.0-or-later
"""Armor whose marks were changed on the way is opened, or told as encrypted; words about it are words."""

import base64
import re
from collections.abc import Callable
from html import escape

import pytest

from desk.letters.opened import EncryptionState
from mail.reading.open_letter import open_letter
from tests.mail.people import Desk, Person, entity, headers, multipart

SECRET = "The printer prints nothing at all.\n"
Change = Callable[[str], str]
DASHES = [
    "—–—",
    "----",
    "------",
    "–––––",
    "‐‐‐‐‐",
    "‑‑‑‑‑",
    "−−−−−",
    "－－－－－",
    "―――――",
    "-–-–-",
    "——",
    "\u00ad-----",
]


def dashed(dashes: str) -> Change:
    return lambda armor: armor.replace("-----", dashes)


def without_begin(armor: str) -> str:
    return armor.split("\n", 1)[1].lstrip("\n")


CHANGES: dict[str, Change] = {
    **{f"dashes {dashes!r}": dashed(dashes) for dashes in DASHES},
    "lower case": lambda armor: re.sub(".* PGP MESSAGE.*", lambda mark: mark[0].lower(), armor),
    "only the first letter": lambda armor: armor.replace("BEGIN PGP MESSAGE", "Begin PGP Message"),
    "no-break blanks": lambda armor: re.sub("(BEGIN|END) PGP MESSAGE", "\\1\u00a0PGP\u00a0MESSAGE", armor),
    "blanks inside": lambda armor: re.sub("-----(.*)-----", "----- \\1 -----", armor),
    "tabs behind": lambda armor: armor.replace("MESSAGE-----", "MESSAGE-----\t "),
    "a blank in front": lambda armor: armor.replace("-----BEGIN", "\u00a0-----BEGIN"),
    "no begin": without_begin,
    "no begin, odd end": lambda armor: without_begin(armor).replace("-----", "———"),
    "no dashes": dashed(""),
    "stars": dashed("*****"),
    "blanks between dashes": dashed("- - - - -"),
    "many dashes": dashed("-" * 20),
    "heavy lines": dashed("━━━━━"),
    "references": dashed("&#8212;&#8211;&#8212;"),
    "full width words": lambda armor: re.sub(
        ".* PGP MESSAGE.*", lambda mark: "".join(chr(ord(sign) + 0xFEE0) for sign in mark[0]), armor
    ).replace("\uff00", "\u3000"),
    "no blanks": lambda armor: re.sub("(BEGIN|END) PGP MESSAGE", "\\1PGPMESSAGE", armor),
    "mark on two lines": lambda armor: armor.replace("PGP MESSAGE", "PGP\nMESSAGE"),
    "a part of several": lambda armor: armor.replace("PGP MESSAGE", "PGP MESSAGE, PART 01/02"),
    "neither begin nor end": lambda armor: without_begin(armor).split("-----END")[0],
    "odd marks, indented": lambda armor: "".join(
        f"    {line}\n" for line in dashed("—–—")(armor).splitlines()
    ),
    "byte order mark": lambda armor: "\ufeff" + armor,
}


def letter(text: str, type_: str = "text/plain; charset=utf-8") -> bytes:
    fields = f"Content-Type: {type_}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    return headers("alice@user.example") + fields.encode() + text.replace("\n", "\r\n").encode()


@pytest.fixture(name="armor")
def make_armor(desk: Desk, alice: Person) -> str:
    return alice.encrypt(SECRET.encode(), desk.public).decode().replace("\r\n", "\n")


@pytest.mark.parametrize("change", CHANGES)
def test_a_message_whose_marks_were_changed_is_opened(desk: Desk, armor: str, change: str) -> None:
    opened = open_letter(letter(f"{CHANGES[change](armor)}\n"), desk.keyring)
    assert (opened.encryption.state, opened.text.strip()) == (EncryptionState.OK, SECRET.strip())


@pytest.mark.parametrize("change", CHANGES)
def test_beside_words_it_is_a_part_that_is_encrypted(desk: Desk, armor: str, change: str) -> None:
    opened = open_letter(letter(f"Hello,\n\n{CHANGES[change](armor)}\n\nBye\n"), desk.keyring)
    assert (opened.encryption.state, opened.text.strip()) == (EncryptionState.PARTIAL, SECRET.strip())
    assert "Hello" in opened.unprotected_text


@pytest.mark.parametrize("change", CHANGES)
def test_in_a_page_it_is_opened_too(desk: Desk, armor: str, change: str) -> None:
    page = "<html><body>" + escape(CHANGES[change](armor)).replace("\n", "<br>\n") + "</body></html>"
    opened = open_letter(letter(page, "text/html; charset=utf-8"), desk.keyring)
    assert (opened.encryption.state, opened.text.strip()) == (EncryptionState.OK, SECRET.strip())


@pytest.mark.parametrize("change", CHANGES)
def test_what_cannot_be_opened_any_more_is_told_as_encrypted(desk: Desk, armor: str, change: str) -> None:
    lines = armor.split("\n")
    torn = "\n".join([*lines[:4], lines[5][::-1], *lines[6:]])
    opened = open_letter(letter(f"{CHANGES[change](torn)}\n"), desk.keyring)
    assert opened.encryption.state in {EncryptionState.BROKEN, EncryptionState.UNDECRYPTABLE}
    assert opened.text == ""


@pytest.mark.parametrize(
    "words",
    [
        "My mail program writes\n———BEGIN PGP MESSAGE———\nand then nothing.\n———END PGP MESSAGE———\nWhy?\n",
        "What is ----BEGIN PGP MESSAGE---- ?\n",
        "There is no —END PGP MESSAGE— in the file.\n",
        "I saw this at the end:\n-----END PGP MESSAGE-----\nIs it right?\n",
        "begin pgp message\nis what it says.\n",
    ],
)
def test_words_about_armor_are_words(desk: Desk, words: str) -> None:
    opened = open_letter(letter(words), desk.keyring)
    assert (opened.encryption.state, opened.text) == (EncryptionState.NONE, words)


def test_a_letter_with_a_signed_text_and_an_encrypted_one_is_no_letter_in_clear(
    desk: Desk, alice: Person, armor: str
) -> None:
    signed = alice.gpg("--clearsign", data=b"Hello.\n").decode().replace("\r\n", "\n")
    opened = open_letter(letter(f"{signed}\n{armor.replace('-----', '———')}\n"), desk.keyring)
    assert opened.encryption.state is not EncryptionState.NONE


@pytest.mark.parametrize("charset", ["utf-16", "utf-16-le", "mac_roman", "cp1250"])
def test_the_charset_hides_no_armor(desk: Desk, armor: str, charset: str) -> None:
    coded = base64.encodebytes(dashed("—–—")(armor).encode(charset)).decode()
    raw = letter(coded, f"text/plain; charset={charset}").replace(b"8bit", b"base64")
    opened = open_letter(raw, desk.keyring)
    assert (opened.encryption.state, opened.text.strip()) == (EncryptionState.OK, SECRET.strip())


@pytest.mark.parametrize("change", ["dashes '—–—'", "lower case", "blanks inside"])
def test_armor_that_says_to_be_base64_is_opened(desk: Desk, armor: str, change: str) -> None:
    raw = letter(CHANGES[change](armor)).replace(b"8bit", b"base64")
    opened = open_letter(raw, desk.keyring)
    assert (opened.encryption.state, opened.text.strip()) == (EncryptionState.OK, SECRET.strip())


@pytest.mark.parametrize("type_", ["text/enriched", "text/markdown", "text/x-unknown"])
def test_words_of_any_kind_may_be_armor(desk: Desk, armor: str, type_: str) -> None:
    opened = open_letter(letter(armor, type_), desk.keyring)
    assert (opened.encryption.state, opened.text.strip()) == (EncryptionState.OK, SECRET.strip())


@pytest.mark.parametrize("name", ["m.asc", "m.txt"])
@pytest.mark.parametrize("change", ["dashes '—–—'", "lower case", "no begin"])
def test_a_file_whose_marks_were_changed_is_encrypted(desk: Desk, armor: str, name: str, change: str) -> None:
    disposition = f"Content-Disposition: attachment; filename={name}"
    parts = [entity("See the file."), entity(CHANGES[change](armor), disposition)]
    raw = headers("alice@user.example") + multipart("multipart/mixed", *parts)
    opened = open_letter(raw, desk.keyring)
    assert opened.encryption.state is EncryptionState.PARTIAL
    assert [file.content for file in opened.attachments] == [SECRET.encode()]


def test_armor_with_odd_marks_under_a_signed_text_is_opened(desk: Desk, alice: Person, armor: str) -> None:
    signed = alice.gpg("--clearsign", data=dashed("—–—")(armor).encode()).decode().replace("\r\n", "\n")
    opened = open_letter(letter(signed), desk.keyring, signers=[alice.public])
    assert (opened.encryption.state, opened.text.strip()) == (EncryptionState.OK, SECRET.strip())


def test_what_is_quoted_is_not_this_letters_encryption(desk: Desk, armor: str) -> None:
    quoted = "".join(f"> {line}\n" for line in dashed("—–—")(armor).splitlines())
    assert open_letter(letter(quoted), desk.keyring).encryption.state is EncryptionState.NONE


@pytest.mark.parametrize("kind", ["public", "signature", "random"])
def test_other_base64_is_no_encrypted_message(desk: Desk, alice: Person, kind: str) -> None:
    made = {"public": alice.public, "signature": alice.sign(b"words"), "random": b""}[kind].decode()
    lines = [line for line in made.splitlines() if "-----" not in line] or ["hallo" + "A" * 59, "w" * 64]
    text = "My log:\n" + "\n".join(lines) + "\n"
    assert open_letter(letter(text), desk.keyring).encryption.state is EncryptionState.NONE


@pytest.mark.parametrize("line", ["h" * 64, "hQGMA1/abT2wBruk" + "A" * 48])
def test_a_flood_of_what_looks_like_data_takes_no_long(desk: Desk, line: str) -> None:
    state = open_letter(letter(f"{line} .\n" * 50_000), desk.keyring).encryption.state
    assert state is not EncryptionState.OK


def test_a_flood_of_marks_takes_no_long(desk: Desk) -> None:
    flood = "———BEGIN PGP MESSAGE———\n" * 20_000 + ("A" * 64 + "\n") * 5_000
    assert open_letter(letter(flood), desk.keyring).encryption.state is not EncryptionState.OK
