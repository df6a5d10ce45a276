# SPDX-License-Identifier: AGPL-3.0-or-later
"""What hostile letters cost: limits before parsing, and no input that takes more than linear time."""

import pytest

from desk.letters.opened import Headers, Unopenable
from mail.limits import ADDRESS_FIELDS, ADDRESSES, DEPTH, HEADER_VALUE, LETTER_BYTES, PARTS
from mail.mime.content import read_content
from mail.mime.parts import Part, read_parts
from mail.text.headers import HeaderBlock, read_addresses, safe_header
from mail.text.html import html_to_text
from mail.whisperback.report import read_report

# The quadratic forms of these inputs take minutes, the linear ones less than a second.
pytestmark = pytest.mark.timeout(30)


def nested(depth: int, kind: str = "mixed") -> bytes:
    begin = "".join(
        f'Content-Type: multipart/{kind}; boundary="b{level}"\r\n\r\n--b{level}\r\n' for level in range(depth)
    )
    return (begin + "Content-Type: text/plain\r\n\r\nbottom\r\n").encode()


def parts(count: int) -> bytes:
    return b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + b"--b\r\n\r\nx\r\n" * count + b"--b--\r\n"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"a" * (LETTER_BYTES + 1), "larger than 25 MB"),
        (b"X: y\r\n" * 60_000 + b"\r\nhi", "KB of headers"),
        (b"X: " + b"y" * 300_000, "KB of headers"),
        (nested(DEPTH + 1), "nested more than"),
        (nested(5000), "nested more than"),
        (parts(PARTS + 1), "more than 500 parts"),
        (b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + b"--bb\n" * 20_000, "look like boundaries"),
    ],
)
def test_a_letter_past_a_limit_is_refused_with_the_reason(raw: bytes, reason: str) -> None:
    with pytest.raises(Unopenable, match=reason):
        read_parts(raw)


def test_a_letter_at_the_limits_is_read() -> None:
    assert read_content(read_parts(nested(DEPTH))).text == "bottom\n"
    assert len(read_parts(parts(PARTS - 1)).children) == PARTS - 1
    assert len(read_parts(b"\n" * LETTER_BYTES).source) == LETTER_BYTES


@pytest.mark.parametrize(
    "body",
    [
        b"--" + b" " * 20_000_000 + b"x",
        b"--b\n" * 2_000_000,
        b"--b\nContent-Type\n" * 500_000,
        b"--" * 10_000_000,
    ],
)
def test_boundaries_that_nobody_said_are_looked_for_in_linear_time(body: bytes) -> None:
    assert read_parts(b"Content-Type: multipart/mixed\r\n\r\n" + body).children == ()


def test_attached_letters_do_not_nest() -> None:
    raw = b"Content-Type: message/rfc822\r\n\r\n" * 5000
    assert read_content(read_parts(raw)).attachments[0].type == "message/rfc822"


SECTIONS = "Subject: x\n\n======= content of /proc/cmdline =======\n\n"
SECTIONS += "======= content of /usr/bin/lspci -nn =======\n"
HOSTILE_HEADERS = {
    "20,000 addresses": "To: " + ", ".join(f"a{n}@b.example" for n in range(20_000)),
    "50,000 encoded words": "From: " + "=?utf-8?q?a?= " * 10_000,
    "nested comments": "From: " + "(" * 100_000,
    "nested angles": "From: " + "<" * 100_000,
    "quotes": "From: " + '"' * 100_000,
    "RFC 2231 segments": "From: x; " + "; ".join(f"name*{n}*=utf-8''a" for n in range(8_000)),
    "blanks": "From: " + " \t" * 60_000 + "x",
    "parameters": "From: " + ";" * 100_000,
}


@pytest.mark.parametrize("name", HOSTILE_HEADERS)
def test_no_header_is_slow_or_raises(name: str) -> None:
    value = HOSTILE_HEADERS[name].partition(": ")[2]
    raw = "".join(f"{field}: {value}\r\n" for field in ("From", "Content-Type"))[: 250 * 1024].encode()

    fields = HeaderBlock(raw)
    assert len(fields.one("from")) <= HEADER_VALUE
    assert len(fields.addresses("from")) <= ADDRESSES
    assert len(fields.params("content-type")) <= HEADER_VALUE
    assert fields.message_ids("from") == ()


@pytest.mark.parametrize("piece", ['\\"', '"\\', "\\"])
def test_no_quotation_in_an_address_is_slow(piece: str) -> None:
    value = '"' + piece * (HEADER_VALUE // len(piece) - 1)
    for odd in (value, value[:-1], value[1:]):
        assert len(read_addresses([odd] * 250)) <= ADDRESSES


def test_of_fields_that_come_again_and_again_the_first_are_read() -> None:
    fields = HeaderBlock(b"".join(b"To: a%d@user.example\r\n" % number for number in range(2000)))
    assert [address for _, address in fields.addresses("to")] == [
        f"a{number}@user.example" for number in range(ADDRESS_FIELDS)
    ]


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 50_000,
        "<div>" * 20_000 + "</div>" * 20_000,
        "<a href=x>" * 25_000,
        "<a href=x>" + "<div>" * 20_000,
        "<p><b>" * 40_000,
        "<b></p>" * 35_000,
        "<svg></x>" * 25_000,
        "<table><tr><td>" * 15_000,
        "<b " * 80_000,
        "&" * 250_000,
        "\n" * 250_000,
    ],
)
def test_no_html_is_slow_or_swallows_what_comes_before(html: str) -> None:
    assert html_to_text("<p>Hello</p>" + html).startswith("Hello")


@pytest.mark.parametrize(
    "text",
    [
        "Subject: x\n" + "\n" * 2_000_000,
        "Subject: x\n\n" + "======= content of " * 200_000,
        "Subject: x\nFrom: " + "a@" * 500_000,
        "Subject: x\nFrom: " + "a." * 500_000 + "@b",
        "Subject: x\n\n======= content of /proc/cmdline =======\n" + "===== listing of x ====\n" * 100_000,
        SECTIONS + "00:00.0 " + "[0280]: [8086:095b" * 50_000,
        SECTIONS + "00:00.0 x " + "[0280]: " * 25 + "[8086:095b] (prog-if " * 50_000,
        "Subject: x\n\n" + "-----BEGIN PGP PUBLIC KEY BLOCK-----\n" * 50_000,
    ],
)
def test_no_report_is_slow(text: str) -> None:
    report = read_report(text, Headers(outer_subject="Bug report: " + "a" * 32))
    assert report is not None
    assert report.report_subject == "x"


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable", "x-uuencode", "rot13"])
def test_no_transfer_encoding_raises(encoding: str) -> None:
    part: Part = read_parts(
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n".encode() + b"=\xff==Z\nbegin 1 \xff\n" * 9
    )
    assert isinstance(part.content(), bytes)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("=?utf-8?q?hi=0D=0ABcc=3A_x=40y?=", "hi Bcc: x@y"),
        ("=?utf-8?b?4oCuZnBkLmV4ZQ==?=", "<U+202E>fpd.exe"),
        ("=?no-such-charset?q?caf=E9?=", "café"),
        ("=?punycode?q?abc?=", "abc"),
        ("folded\r\n\tline", "folded line"),
        ("\x00\x1b[31mred\x7f", "[31mred"),
        ("=?utf-8?q?a?= plain =?iso-8859-1?q?=FC?=", "a plain ü"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("=?utf-8?b?!!!?= x", "x"),
        ("x" * 10_000, "x" * 8192),
    ],
)
def test_headers_are_one_harmless_line(raw: str, shown: str) -> None:
    assert safe_header(raw) == shown
