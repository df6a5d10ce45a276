# SPDX-License-Identifier: AGPL-3.0-or-later
"""The words in a signed message of S/MIME (RFC 5652, 5), without a look at its signature.

Only the way to the words is walked, within a depth and a number of elements. Libraries read whole messages
and know no such number: a megabyte of one-byte pieces takes asn1crypto 1.5 and pyasn1 0.6 over two seconds,
and the first 120 MB.
"""

from dataclasses import dataclass

SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
"""The object identifier that signed data begins with (RFC 5652, 5.1)."""
_DATA = bytes.fromhex("2a864886f70d010701")
_SEQUENCE, _OCTETS, _PIECES, _IDENTIFIER, _EXPLICIT = 0x30, 0x04, 0x24, 0x06, 0xA0
_INDEFINITE, _MANY = 0x80, 0x1F
_END = b"\0\0"
_DEEPEST = 20
_MOST = 100_000
"""Elements that are walked at a time; programs cut a message into pieces of a thousand bytes and more."""
_WIDEST = 4
"""Bytes of a length."""


@dataclass(frozen=True)
class _Element:
    tag: int
    begin: int
    end: int


def signed_words(message: bytes) -> bytes | None:
    """Return the MIME entity that a signed message holds; None when there is none, or it cannot be read."""
    try:
        info = _only(message, _Element(0, 0, len(message)), _SEQUENCE)
        signed = _only(message, _only(message, info, _EXPLICIT), _SEQUENCE)
        held = _only(message, signed, _SEQUENCE)
        kind = _only(message, held, _IDENTIFIER)
        octets = _children(message, _only(message, held, _EXPLICIT))[0]
    except (IndexError, ValueError):
        return None
    return _joined(message, octets) if message[kind.begin : kind.end] == _DATA else None


def _only(message: bytes, parent: _Element, tag: int) -> _Element:
    """Return the first child with a tag; raises IndexError when there is none."""
    return [child for child in _children(message, parent) if child.tag == tag][0]  # noqa: RUF015


def _joined(message: bytes, octets: _Element) -> bytes | None:
    if octets.tag == _OCTETS:
        return message[octets.begin : octets.end]
    try:
        pieces = _children(message, octets) if octets.tag == _PIECES else []
    except (IndexError, ValueError):
        return None
    return b"".join(message[one.begin : one.end] for one in pieces if one.tag == _OCTETS) or None


def _children(message: bytes, parent: _Element) -> list[_Element]:
    return _read(message, parent.begin, parent.end, 0)[0]


def _read(message: bytes, at: int, end: int, depth: int) -> tuple[list[_Element], int, int]:
    """Read elements by the basic rules (X.690, 8.1).

    Return them, where they or an end mark end them, and how many they are with those inside that were walked.
    Raises IndexError or ValueError for what are none, and past a limit.
    """
    if depth > _DEEPEST:
        raise ValueError("the elements are nested too deep")
    found: list[_Element] = []
    walked = 0
    while at < end and message[at : at + 2] != _END:
        tag, begin, stop = _head(message, at, end)
        after = stop
        if stop < 0:
            _, stop, more = _read(message, begin, end, depth + 1)
            after = stop + len(_END)
            walked += more
        walked += 1
        if tag & _MANY == _MANY or walked > _MOST or after > end:
            raise ValueError("this is no element of a message, or one that is cut off")
        found.append(_Element(tag, begin, stop))
        at = after
    return found, at, walked


def _head(message: bytes, at: int, end: int) -> tuple[int, int, int]:
    """Return an element's tag, where its content begins and where it ends: -1 for at an end mark."""
    tag, size, begin = message[at], message[at + 1], at + 2
    if size == _INDEFINITE:
        return tag, begin, -1
    if size < _INDEFINITE:
        return tag, begin, begin + size
    width = size - _INDEFINITE
    if width > _WIDEST:
        return tag, begin, end + 1
    return tag, begin + width, begin + width + int.from_bytes(message[begin : begin + width])
