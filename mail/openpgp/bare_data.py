# SPDX-License-Identifier: AGPL-3.0-or-later
"""Encrypted data in a text whose marks nobody can read any more: its first packet tells what it is."""

import base64
import binascii
import html
import re
import unicodedata

from mail.openpgp.packets import MESSAGE_BEGIN, MESSAGE_END

_SIGNS = rb"[A-Za-z0-9+/]"
_GAP = rb"(?:[ \t\r\n]|\xc2?\xa0){1,40}"
_HEAD = re.compile(rb"(?<![A-Za-z0-9+/=])[hjw]%b{39}" % _SIGNS)
_DATA = re.compile(
    rb"(?<![A-Za-z0-9+/=])([hjw]%b{39,}(?:%b%b{40,})*(?:%b%b{1,75}(?![^\s=]))?={0,2})(?:%b(=%b{4})(?![^\s-]))?"
    % (_SIGNS, _GAP, _SIGNS, _GAP, _SIGNS, _GAP, _SIGNS)
)
"""Base64 that may begin with a session key, with its last short line and its checksum."""
_BLANKS = re.compile(rb"(?:\s|\xc2?\xa0)+")
_FIELD = re.compile(rb"(?:Version|Comment|Charset|Hash|MessageID): ", re.IGNORECASE)
_NO_LETTERS = re.compile(r"[\W\d_]+")
_MARK = re.compile(r"(?:begin|end)?(?:pgp)?(?:message)?(?:part)?")
_LINE = 64
_FIRST = 24
"""Signs of base64 that hold the head of a session key."""
_PUBLIC_KEY_ALGORITHMS = frozenset({1, 2, 16, 18, 25, 26})
_MOST_CIPHERS = 13
_ENCRYPTED_NAMES = re.compile(
    rb"multipart/encrypted|application/(?:x-)?pkcs7-mime|application/pgp-encrypted|BEGIN PGP MESSAGE",
    re.IGNORECASE,
)
_DATA_WITH_END = re.compile(
    rb"^[A-Za-z0-9+/]{60,76}\r?\n(?:[A-Za-z0-9+/=]{1,76}\r?\n){0,2}-----END PGP MESSAGE", re.MULTILINE
)
_PIECE_HEAD = 64 * 1024


def may_hold_data(text: bytes) -> bool:
    """Tell quickly whether a text may hold encrypted data."""
    return _HEAD.search(text) is not None


def begins_with_data(text: bytes) -> bool:
    """Tell whether encrypted data is the first that stands in a text."""
    return _HEAD.match(text) is not None and _begins_message(text)


def names_encrypted(data: bytes) -> bool:
    """Tell whether what cannot be read as a whole has something encrypted in it."""
    return bool(_ENCRYPTED_NAMES.search(data, 0, _PIECE_HEAD) or _DATA_WITH_END.search(data))


def with_marked_data(text: bytes) -> bytes:
    """Put the marks of a message around the first encrypted data of a text; not around what is quoted."""
    for found in _DATA.finditer(text):
        line = text[text.rfind(b"\n", 0, found.start()) + 1 : found.start()]
        if _begins_message(found[1]) and b">" not in line and b"|" not in line:
            signs = _BLANKS.sub(b"", found[1])
            lines = [signs[at : at + _LINE] for at in range(0, len(signs), _LINE)]
            armor = [MESSAGE_BEGIN, b"", *lines, *([found[2]] if found[2] else []), MESSAGE_END]
            before = _without_marks(text[: found.start()].split(b"\n")[::-1])[::-1]
            after = _without_marks(text[found.end() :].split(b"\n"))
            return b"\n".join([*before, *armor, *after])
    return text


def _begins_message(signs: bytes) -> bool:
    """Tell a session key (RFC 9580, 5.1 and 5.3) by its head."""
    try:
        data = base64.b64decode(signs[:_FIRST])
    except binascii.Error:
        return False
    is_new, width = bool(data[0] & 0x40), 1 << (data[0] & 3)
    tag = data[0] & 0x3F if is_new else (data[0] >> 2) & 0x0F
    body = data[_new_head(data[1]) if is_new else 1 + width :]
    if tag == 1:
        return body[0] == 6 or (body[0] == 3 and body[9] in _PUBLIC_KEY_ALGORITHMS)  # noqa: PLR2004
    return tag == 3 and body[0] in {4, 5, 6} and 0 < body[1] <= _MOST_CIPHERS  # noqa: PLR2004


def _new_head(first: int) -> int:
    """Return how long the head of a packet is by the first byte of its length (RFC 9580, 4.2.1)."""
    return 2 if first < 192 else 3 if first < 224 else 6  # noqa: PLR2004


def _without_marks(lines: list[bytes]) -> list[bytes]:
    """Leave out what is left of marks and fields at the side of the data, which is where the lines begin."""
    at = 0
    while at < len(lines) and (not lines[at].strip() or _FIELD.match(lines[at]) or _is_mark(lines[at])):
        at += 1
    return lines[at:]


def _is_mark(line: bytes) -> bool:
    shown = unicodedata.normalize("NFKC", html.unescape(line[:200].decode("utf-8", "replace")))
    words = _NO_LETTERS.sub("", shown).casefold()
    return bool(words) and _MARK.fullmatch(words) is not None and ("pgp" in words or "--" in shown)
