# SPDX-License-Identifier: AGPL-3.0-or-later
"""Files of letters: names, kinds, dangers, invitations and winmail.dat."""

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.files.attachments import as_file, safe_file_name
from mail.files.calendar import describe
from mail.files.rtf import decompress_rtf, rtf_to_text
from mail.files.tnef import unpack
from mail.mime.content import read_content
from mail.mime.parts import read_parts

ZIP, EXE, OLE = b"PK\x03\x04", b"MZ\x90\x00", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@pytest.mark.parametrize(
    ("name", "type_", "content", "looks_like", "danger"),
    [
        ("a.txt", "text/plain", b"hello", "", ""),
        ("a.png", "image/png", b"\x89PNG\r\n\x1a\n", "", ""),
        ("a.pdf", "application/pdf", EXE, "application/vnd.microsoft.portable-executable", "a program"),
        ("a.pdf.exe", "application/pdf", b"", "", "a program"),
        ("a.txt", "application/javascript", b"x()", "", "a script"),
        ("a.js ", "text/plain", b"x()", "", "a script"),
        ("a.docx", DOCX, ZIP, "", ""),
        ("a.docx", DOCX, ZIP + b"vbaProject.bin", "application/vnd.ms-office.macroenabled", "holds macros"),
        ("a.xlsm", "application/octet-stream", b"", "", "may hold macros"),
        ("a.doc", "application/msword", OLE, "", "may hold macros"),
        ("a.zip", "application/zip", ZIP, "", "an archive"),
        ("a.jpg", "image/jpeg", ZIP, "application/zip", "an archive"),
        ("a.svg", "image/svg+xml", b"<?xml version='1.0'?><svg>", "", "a drawing that may hold scripts"),
        ("a.png", "image/png", b" <!DOCTYPE html><p>", "text/html", "a web page"),
        ("a.lnk", "application/octet-stream", b"", "", "a shortcut"),
        ("a.iso", "application/octet-stream", b"", "", "a disk image"),
        ("run", "text/plain", b"#!/bin/sh\n", "text/x-shellscript", "a script"),
        ("a.asc", "application/octet-stream", b"-----BEGIN PGP MESSAGE-----", "", ""),
    ],
)
def test_files_are_told_for_what_they_are(
    name: str, type_: str, content: bytes, looks_like: str, danger: str
) -> None:
    file = as_file(name, type_, content)
    assert (file.looks_like, file.danger, file.size) == (looks_like, danger, len(content))


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\a.exe", "a.exe"),
        ("a\u202egnp.exe", "a<U+202E>gnp.exe"),
        (".bashrc", "bashrc"),
        ("a\r\nb\x00.txt", "a b .txt"),
        ("x" * 300 + ".txt.exe", "x" * 89 + "…" + "x" * 22 + ".txt.exe"),
        ("..", ""),
    ],
)
def test_names_are_harmless_and_keep_their_end(given: str, name: str) -> None:
    assert safe_file_name(given) == name


@given(st.text(max_size=300))
def test_any_name_is_one_short_line(name: str) -> None:
    shown = safe_file_name(name)
    assert len(shown) <= 120
    assert not set(shown) & set("/\\\n\r\t\x00\u202e")


def calendar(*lines: str, method: str = "REQUEST") -> bytes:
    head = ["BEGIN:VCALENDAR", f"METHOD:{method}", "BEGIN:VEVENT"]
    return "\r\n".join([*head, *lines, "END:VEVENT", "END:VCALENDAR", ""]).encode()


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (
            calendar(
                "SUMMARY:Team\\, a",
                'DTSTART;TZID="W. Europe Standard Time":20261101T100000',
                'DTEND;TZID="W. Europe Standard Time":20261101T110000',
                "ORGANIZER;CN=Ana:mailto:a@b.ex",
            ),
            "invitation: “Team, a”, 2026-11-01 10:00 to 11:00 (Europe/Berlin = 09:00 UTC), by Ana <a@b.ex>",
        ),
        (
            calendar("SUMMARY:x", "DTSTART;VALUE=DATE:20261101", "RRULE:FREQ=DAILY", method="CANCEL"),
            "cancellation: “x”, 2026-11-01 and again",
        ),
        (
            calendar("DTSTART:20261101T100000Z", "ATTENDEE;PARTSTAT=DECLINED:mailto:a@b", method="REPLY"),
            "answer to an invitation: “(no title)”, 2026-11-01 10:00 (UTC), declined",
        ),
        (calendar("SUMMARY:a\u202eb\x00", "DTSTART:never"), "invitation: “a<U+202E>b”"),
        (b"BEGIN:VCALENDAR\r\nEND:VCALENDAR", ""),
        (b"nothing", ""),
        (b"BEGIN:VCALENDAR\r\n" * 9000, ""),
    ],
)
def test_an_invitation_is_a_line(content: bytes, line: str) -> None:
    assert describe(content) == line


def attribute(name: int, data: bytes, level: int = 1) -> bytes:
    return struct.pack("<BII", level, name, len(data)) + data + struct.pack("<H", sum(data) & 0xFFFF)


def properties(*values: tuple[int, int, bytes]) -> bytes:
    packed = struct.pack("<I", len(values))
    for kind, name, data in values:
        packed += struct.pack("<HHII", kind, name, 1, len(data)) + data + b"\0" * (-len(data) % 4)
    return packed


RTF = rb"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0\fswiss A;}{\f1\fcharset204 B;}}"
RTF += rb"Hello\par {\f1 \'cf\'f0\'e8} \u20320?"
RTF += rb'{\field{\*\fldinst{HYPERLINK "http://evil.example"}}{\fldrslt here}}}'
PACKED = struct.pack("<IIII", len(RTF) + 12, len(RTF), 0x414C454D, 0) + RTF
HEAD = struct.pack("<IH", 0x223E9F78, 1) + attribute(0x00069007, struct.pack("<II", 1252, 0))
FILE = attribute(0x00069002, b"\0" * 14, 2) + attribute(0x00018010, b"SHORT~1.EXE\0", 2)
FILE += attribute(0x0006800F, EXE, 2)
FILE += attribute(0x00069005, properties((0x1F, 0x3707, "../été.exe\0".encode("utf-16-le"))), 2)
WORDS = attribute(0x00069003, properties((0x102, 0x1009, PACKED)))
SHOWN = "Hello\nПри 你here <http://evil.example>"


def winmail(stream: bytes) -> bytes:
    return b'Content-Type: application/ms-tnef; name="winmail.dat"\r\n\r\n' + stream


def test_winmail_is_unpacked_to_its_text_and_files() -> None:
    content = read_content(read_parts(winmail(HEAD + WORDS + FILE)))
    assert content.text == SHOWN
    assert [(one.name, one.size, one.danger) for one in content.attachments] == [("été.exe", 4, "a program")]
    assert any("winmail.dat" in problem for problem in content.problems)


def test_winmail_that_is_cut_off_is_listed_as_it_is() -> None:
    content = read_content(read_parts(winmail((HEAD + WORDS + FILE)[:-9])))
    assert [one.name for one in content.attachments] == ["winmail.dat"]
    assert any("cannot be unpacked" in problem for problem in content.problems)


def test_winmail_with_thousands_of_files_is_refused() -> None:
    with pytest.raises(ValueError, match="too many"):
        unpack(HEAD + FILE * 101)


@given(st.data())
def test_no_winmail_raises_anything_else(data: st.DataObject) -> None:
    stream = bytearray(HEAD + WORDS + FILE)
    for _ in range(data.draw(st.integers(1, 6))):
        stream[data.draw(st.integers(4, len(stream) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ValueError):
        unpack(bytes(stream))


UUENCODED = b"Look:\r\n\r\nbegin 644 a cat.png\r\n$B5!.1P  \r\n`\r\nend\r\nBye\r\n"


def test_a_file_that_stands_uuencoded_in_the_text_is_a_file() -> None:
    content = read_content(read_parts(b"Subject: x\n\n" + UUENCODED * 2))
    assert content.text == "Look:\n\n[a cat.png]\nBye\n" * 2
    assert [(one.name, one.type, one.content) for one in content.attachments] == [
        ("a cat.png", "image/png", b"\x89PNG")
    ] * 2


@pytest.mark.parametrize(
    "text",
    [
        b"begin 644 a.png\n$B5!.1P  \n`\n",
        b"begin 644 a.png\nthis is no file\nend\n",
        b"to begin 644 a.png\n$B5!.1P  \n`\nend\n",
        b"begin again\n$B5!.1P  \nend\n",
    ],
)
def test_what_is_no_whole_file_stays_in_the_text(text: bytes) -> None:
    content = read_content(read_parts(b"Subject: x\n\n" + text))
    assert (content.text, content.attachments) == (text.decode(), [])


def test_packed_rtf_is_unpacked() -> None:
    # The example of [MS-OXRTFCP], 4.1.1.
    packed = "2d 00 00 00 2b 00 00 00 4c 5a 46 75 f1 c5 c7 a7 03 00 0a 00 72 63 70 67 31 32 35 42 32 0a f3 20"
    packed += " 68 65 6c 09 00 20 62 77 05 b0 6c 64 7d 0a 80 0f a0"
    assert decompress_rtf(bytes.fromhex(packed)) == rb"{\rtf1\ansi\ansicpg1252\pard hello world}" + b"\r\n"


@given(st.binary(max_size=300))
def test_any_rtf_gives_text(content: bytes) -> None:
    assert rtf_to_text(content) == rtf_to_text(content).encode().decode()
    decompress_rtf(struct.pack("<IIII", 0, 5000, 0x75465A4C, 0) + content)
