# SPDX-License-Identifier: AGPL-3.0-or-later
"""Armor whose marks a keyboard, an editor or a mail program has changed (RFC 9580, 6.2)."""

import re

from mail.openpgp.packets import MESSAGE_BEGIN

_DASH = (
    rb"(?:-|\xe2\x80[\x90-\x95]|\xe2\x81\x83|\xe2\x88\x92|\xef\xbc\x8d|\xef\xb9[\x98\xa3]|\xe3\x83\xbc"
    rb"|\xc2\xad|\xe2\x94\x80|[\x96\x97\xad])"
)
"""What is set in the place of hyphens, in UTF-8 and in Windows-1252."""
_BLANK = rb"(?:[ \t]|\xc2?\xa0|\xe2\x80[\x80-\x8f\xaf]|\xe3\x80\x80|\xef\xbb\xbf)"
_WORDS = rb"(begin|end)%b{1,3}pgp%b{1,3}(signed%b{1,3})?(message|signature)" % (_BLANK, _BLANK, _BLANK)
_EDGE = rb"%b{0,20}" % _BLANK
_DASHES = rb"%b{1,12}" % _DASH
_MARK_LINE = re.compile(
    rb"^%b%b%b%b%b%b%b(?=\r?$)" % (_EDGE, _DASHES, _EDGE, _WORDS, _EDGE, _DASHES, _EDGE),
    re.IGNORECASE | re.MULTILINE,
)
_PGP = re.compile(rb"pgp", re.IGNORECASE)
_END = rb"\r?\n(?:\r?\n)?"
"""The end of a line; of a page's words there are often two."""
_WITHOUT_BEGIN = re.compile(
    rb"(?<![^\n])((?:[A-Za-z]{3,20}: [^\r\n]{0,200}%b){0,9}\r?\n?(?:[A-Za-z0-9+/]{60,76}%b)+"
    rb"[A-Za-z0-9+/=]{1,76}%b(?:=[A-Za-z0-9+/]{4}%b)?)-----END PGP MESSAGE-----" % (_END, _END, _END, _END)
)
"""The data of a message, and its end, where the line that begins it is lost."""


def names_pgp(text: bytes) -> bool:
    """Tell whether a text may hold armor, however its marks look."""
    return _PGP.search(text) is not None


def with_marks(text: bytes) -> bytes:
    """Return a text with the marks of armored messages as they have to be."""
    return _with_begin(_MARK_LINE.sub(_as_mark, text))


def _as_mark(line: re.Match[bytes]) -> bytes:
    begins, signed, what = line[1].upper(), b"SIGNED " if line[2] else b"", line[3].upper()
    mark = b"-----%b PGP %b%b-----" % (begins, signed, what)
    # A signed text that is indented has another text than was signed: its marks are not what is wrong.
    is_indented = what != b"MESSAGE" or signed
    return line[0] if is_indented and mark in line[0] else mark


def _with_begin(text: bytes) -> bytes:
    if MESSAGE_BEGIN in text or b"-----END PGP MESSAGE-----" not in text:
        return text
    return _WITHOUT_BEGIN.sub(_begun, text, count=1)


def _begun(found: re.Match[bytes]) -> bytes:
    data = found[1]
    has_fields = re.match(rb"[A-Za-z]{3,20}: ", data) is not None
    gap = b"" if has_fields or data.startswith((b"\n", b"\r\n")) else b"\n"
    return MESSAGE_BEGIN + b"\n" + gap + data + b"-----END PGP MESSAGE-----"
