# SPDX-License-Identifier: AGPL-3.0-or-later
"""Undoing transfer encodings (RFC 2045, 6) as far as they can be, without copies of the whole."""

import binascii
import re

BASE64, QUOTED = "base64", "quoted-printable"
UUENCODED = frozenset({"x-uuencode", "uuencode", "uue", "x-uue"})
_WORDS = re.compile(rb"[^ \t\r\n]+[ \t]+[^ \t\r\n]")
_WORDS_IN_FRONT = re.compile(
    rb"(?:[^ \t\r\n]+[ \t][^\r\n]*\r?\n){1,4}\r?\n(?=[A-Za-z0-9+/]{16,76}={0,2}(?!\S))"
)
"""Header lines that lost their colon, behind the last field."""
_ODD_ARMOR = re.compile(rb"[^\n]{0,80}?begin\W{0,12}pgp", re.IGNORECASE)
_SAMPLE = 2000
"""Bytes by which words are told from base64."""


def decode_transfer(body: bytes, encoding: str) -> bytes:
    """Decode a body by its encoding in lower case; one that is broken gives what can be had of it."""
    if encoding == BASE64:
        head = body[:_SAMPLE].lstrip()
        is_armor = head.startswith(b"-----BEGIN ") or _ODD_ARMOR.match(head)
        return body if is_armor else _from_said_base64(body)
    if encoding == QUOTED:
        return binascii.a2b_qp(body)
    return _from_uuencode(body) if encoding in UUENCODED else body


def _from_said_base64(body: bytes) -> bytes:
    stray = _WORDS_IN_FRONT.match(body, 0, _SAMPLE)
    if stray and not _WORDS.search(body, stray.end(), _SAMPLE):
        body = body[stray.end() :]
    return _from_base64(body) if _is_base64(body) else body


def _is_base64(body: bytes) -> bool:
    """Some programs say so of plain words: the first line of these and most others have blanks between."""
    lines = [line.strip() for line in body[:_SAMPLE].strip().split(b"\n") if line.strip()]
    if not lines or not _WORDS.match(lines[0]):
        return True
    return sum(_WORDS.match(line) is not None for line in lines) * 2 <= len(lines)


def _from_base64(body: bytes) -> bytes:
    """Without its padding, or with one sign too many at the end, what there is counts."""
    signs = body.rstrip(b"\r\n\t =")
    for whole in (body, signs + b"==", signs[:-1] + b"=="):
        try:
            return binascii.a2b_base64(whole)
        except binascii.Error:
            continue
    return b""


def _from_uuencode(body: bytes) -> bytes:
    head = body.find(b"begin ")
    at = body.find(b"\n", head) + 1 if head >= 0 else 0
    if not at:
        return body
    decoded = bytearray()
    while at < len(body):
        end = body.find(b"\n", at) + 1 or len(body)
        line = body[at:end].rstrip(b"\r\n")
        if line in {b"end", b"`", b""}:
            break
        decoded += _line_of_uuencode(line)
        at = end
    return bytes(decoded)


def _line_of_uuencode(line: bytes) -> bytes:
    try:
        return binascii.a2b_uu(line)
    except binascii.Error:
        # Some encoders write more signs than the length at the head of the line asks for.
        signs = (((line[0] - 32) & 63) * 4 + 5) // 3
        try:
            return binascii.a2b_uu(line[:signs])
        except binascii.Error:
            return b""
