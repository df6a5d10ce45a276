# SPDX-License-Identifier: AGPL-3.0-or-later
"""Header lines that lost their colon take no field and no word with them, wherever they stand."""

import base64

import pytest

from mail.reading.open_letter import open_letter
from mail.text.headers import read_addresses
from tests.mail.people import Desk

WORDS = "No picture after the start"
FIELDS = [
    b"Received: from a by b; Mon, 02 Mar 2026 09:14:00 +0000",
    b"From: Mara <mara@example.net>",
    b"To: desk@example.org",
    b"Message-ID: <k1@example.net>",
    b"Subject: Screen",
    b"MIME-Version: 1.0",
    b"Content-Type: text/plain; charset=utf-8",
    b"Content-Transfer-Encoding: base64",
]
STRAYS = {"one": [b"by mx.example.org with SMTP"], "three": [b"by mx.example.org", b"with SMTP", b"and more"]}


@pytest.mark.parametrize("strays", STRAYS)
@pytest.mark.parametrize("at", range(len(FIELDS) + 1))
def test_nothing_is_lost_where_lines_without_a_colon_stand(desk: Desk, at: int, strays: str) -> None:
    lines = [*FIELDS[:at], *STRAYS[strays], *FIELDS[at:], b"", base64.b64encode(WORDS.encode()), b""]
    opened = open_letter(b"\r\n".join(lines), desk.keyring)
    assert (opened.headers.sender, opened.text.strip()) == ("mara@example.net", WORDS)
    assert opened.headers.subject.startswith("Screen")


def test_the_encoding_is_read_where_a_line_is_joined_to_it(desk: Desk) -> None:
    lines = [FIELDS[-1], *STRAYS["one"], *FIELDS[:-1], b"", base64.b64encode(WORDS.encode()), b""]
    assert open_letter(b"\r\n".join(lines), desk.keyring).text.strip() == WORDS


@pytest.mark.parametrize("at", [0, 1, 2])
def test_in_a_part_they_are_told(desk: Desk, at: int) -> None:
    fields = [*FIELDS[-2:]]
    fields.insert(at, b"by mx.example.org with SMTP")
    part = b"\r\n".join([*fields, b"", base64.b64encode(WORDS.encode())])
    head = b"From: mara@example.net\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
    opened = open_letter(head + part + b"\r\n--b--\r\n", desk.keyring)
    assert opened.text.strip() == WORDS
    assert at == len(fields) - 1 or any("without a colon" in problem for problem in opened.problems)


def test_plain_words_that_say_to_be_base64_stay(desk: Desk) -> None:
    words = "Hello desk\n\nhelp\n\nI wrote this myself\nand no program did\n"
    head = b"From: mara@example.net\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    assert open_letter(head + words.encode(), desk.keyring).text == words


def test_an_encoded_name_right_at_the_address_is_no_part_of_it() -> None:
    assert read_addresses(["=?utf-8?B?TWFyYQ==?=mara@example.net"]) == [("Mara", "mara@example.net")]
