# SPDX-License-Identifier: AGPL-3.0-or-later
"""Input that means harm: a short piece again and again, for each part that reads what strangers wrote."""

from collections.abc import Callable
from dataclasses import dataclass

from fuzz.targets import TARGETS

_HEAD = b"From: eve@user.example\r\nTo: help@desk.example\r\nMIME-Version: 1.0\r\n"
_MIXED = _HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
_PLAIN = _HEAD + b"Content-Type: text/plain; format=flowed\r\n\r\n"
_EVENT = b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n"
_TNEF = b"\x78\x9f\x3e\x22\x01\x00"
_RTF = rb"{\rtf1 "

_PIECES: dict[str, tuple[tuple[bytes, bytes], ...]] = {
    "headers": (
        (_HEAD, b"X: y\r\n"),
        (_HEAD + b"Subject: ", b"=?utf-8?q?=e9?= "),
        (_HEAD + b"Subject: ", b"=?"),
        (_HEAD + b"Cc: ", b"a@b.example, "),
        (_HEAD + b"Cc: ", b"(("),
        (_HEAD + b'Cc: "', b"\\"),
        (_HEAD + b"References: ", b"<a@b> "),
        (_HEAD + b"References: ", b"<"),
        (_HEAD + b"Content-Type: text/plain", b'; name*0="a'),
        (_HEAD + b"Content-Type: text/plain", b";a=b"),
        (_HEAD + b"Autocrypt: ", b"keydata=A;"),
    ),
    "mime": (
        (_MIXED, b"--b\r\n\r\nx\r\n"),
        (_MIXED, b"--b"),
        (_MIXED, b"--b \r\n"),
        (_MIXED, b"--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"),
        (_MIXED, b"--b\r\nContent-Type: message/rfc822\r\n\r\n"),
        (_MIXED, b"--b\r\n\r\n" + b"\xe9\xe4 a\xfc " * 370 + b"\r\n"),
        (_HEAD, b"Content-Type: message/rfc822\r\n\r\n"),
        (_PLAIN, b"-----BEGIN PGP MESSAGE-----\n"),
        (_PLAIN, b"-----BEGIN PGP SIGNED MESSAGE-----\n\n"),
    ),
    "uuencode": (
        (_PLAIN, b"begin 644 x\n"),
        (_PLAIN, b"begin 644 x\n`\nend\n"),
        (_PLAIN + b"begin 644 x\n", b"#0V%T\n"),
        (_PLAIN, b"end\n"),
    ),
    "html": (
        *((b"", piece) for piece in (b"<p>", b"<", b"<!--", b"<a href='x'>", b"&amp", b"<table><tr><td>x")),
        *((b"", piece) for piece in (b"</p>", b"<script>", b"<div style='display:none'>", b"<br> ")),
    ),
    "rtf": (
        *((_RTF, piece) for piece in (b"{", b"}", rb"\'e9", rb"{\*\x ", rb"\bin9 ", rb"\u8364?", rb"\par ")),
        *(
            (_RTF, piece)
            for piece in (rb"{\fonttbl", rb"\uc9\u1", b"\\", rb"\htmlrtf ", rb"{\*\htmltag <p>}")
        ),
    ),
    "tnef": (
        (_TNEF, b"\x01\x05\x90\x06\x00\x00\x00\x00\x00\x00\x00"),
        (_TNEF, b"\x02\x02\x90\x06\x00\x00\x00\x00\x00\x00\x00\x02\x0f\x80\x06\x00\x01\x00\x00\x00x\x78\x00"),
        (
            _TNEF + b"\x01\x03\x90\x06\x00\xff\xff\x0f\x00\xff\xff\x00\x00",
            b"\x1e\x10\x01\x00\xff\xff\x00\x00",
        ),
    ),
    "calendar": (
        *(
            (_EVENT, piece)
            for piece in (b"ATTENDEE:x\r\n", b"BEGIN:VEVENT\r\n", b" x\r\n", b"END:VEVENT\r\n")
        ),
        *((_EVENT, piece) for piece in (b"RRULE:FREQ=DAILY\r\n", b"SUMMARY:\\n", b"DTSTART:2026\r\n")),
        (_EVENT + b"SUMMARY", b";A=1"),
        (_EVENT + b"SUMMARY", b';A="'),
    ),
    "charsets": (
        *((name + b"\n", b"\xe9 ") for name in (b"", b"utf-8", b"utf-16", b"uu")),
        *((b"\n", piece) for piece in (b"\xff", b"\x82\xa0", b"\xd0 ", b"\xe3\x81")),
        (b"utf-7\n\xff", b"+AAA"),
        (b"iso-2022-jp\n", b"\x1b$B\x1b(B"),
        (b"punycode\n", b"a"),
    ),
    "text": (
        *(
            (b"", piece)
            for piece in (b"> ", b">", b"> > x\n", b"-- \n", b"On Monday Eve wrote:\n", b" ", b"\n")
        ),
        *((b"", piece) for piece in (b"a@b ", b"x \n", "é\u202e".encode(), b"-----Original Message-----\n")),
    ),
    "report": tuple(
        (b"", piece) for piece in (b"===\n", b"=== x ===\n", b"Field: x\n", b"Name:", b"\n\n", b"> ")
    ),
    "redacting": (
        *(
            (b"", piece)
            for piece in (b"00:11:22:33:44:55 ", b"00:", b"a@", b"a.", b"/home/", b"1.2.3.4.", b"::")
        ),
        *((b"", piece) for piece in (b"0123456789abcdef", b"0-", b"ESSID:", b'"', b"user=")),
    ),
    "pgp": tuple(
        (b"", piece) for piece in (b"\xc1\x00", b"\x84\x00", b"AAAA\n", b"=", b"\xd2\xe0", b"\xa3\x01")
    ),
}
_READERS = {"headers": "letter", "mime": "letter", "uuencode": "letter"}
KINDS = tuple(_PIECES)


@dataclass(frozen=True)
class Flood:
    """One piece again and again, after what makes a reader look at it."""

    kind: str
    head: bytes
    piece: bytes

    def __str__(self) -> str:
        """Name it, in a test's name too."""
        return f"{self.kind} {self.head[-12:]!r} {self.piece[:24]!r}"

    @property
    def reader(self) -> Callable[[bytes], object]:
        """Return what reads it; it raises no exception but its own, and checks what it shows."""
        return TARGETS[_READERS.get(self.kind, self.kind)]

    def of(self, size: int) -> bytes:
        """Return about so many bytes."""
        return self.head + self.piece * ((size - len(self.head)) // len(self.piece))


FLOODS = tuple(Flood(kind, head, piece) for kind, pairs in _PIECES.items() for head, piece in pairs)
