# SPDX-License-Identifier: AGPL-3.0-or-later
"""OpenPGP armor and packet boundaries, without looking into the packets."""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass

PUBLIC_KEY_ENCRYPTED_SESSION_KEY = 1
SIGNATURE = 2
SYMMETRIC_KEY_ENCRYPTED_SESSION_KEY = 3
SECRET_KEY = 5
PUBLIC_KEY = 6
SECRET_SUBKEY = 7
USER_ID = 13
PUBLIC_SUBKEY = 14
USER_ATTRIBUTE = 17

_BLOCK = re.compile(rb"-----BEGIN PGP ([A-Z ]{3,30})-----[ \t\r]*\n(.*?)-----END PGP \1-----", re.DOTALL)
_HEADER = re.compile(rb"[A-Za-z]{1,20}:(?: |$)")
_LINE = 64


class Malformed(Exception):
    """The bytes are no OpenPGP packets or no armor."""


@dataclass(frozen=True)
class Packet:
    """One packet (RFC 4880, 4): its tag and its bytes with the header."""

    tag: int
    raw: bytes


def packets(data: bytes) -> Iterator[Packet]:
    """Walk over binary packets; one of partial or indeterminate length ends the walk.

    Raises Malformed when a header is none or a packet is longer than the data.
    """
    at = 0
    while at < len(data):
        tag, end = _extent(data, at)
        if end > len(data):
            raise Malformed("An OpenPGP packet is cut off.")
        yield Packet(tag, data[at:end])
        at = end


def _extent(data: bytes, at: int) -> tuple[int, int]:
    head = data[at]
    if not head & 0x80:
        raise Malformed("This is no OpenPGP packet.")
    if head & 0x40:
        return head & 0x3F, _end_of_new(data, at + 1)
    return (head >> 2) & 0x0F, _end_of_old(data, at + 1, head & 0x03)


def _end_of_new(data: bytes, at: int) -> int:
    first = data[at] if at < len(data) else 0
    if first < 192:  # noqa: PLR2004  (RFC 4880, 4.2.2)
        return at + 1 + first
    if first < 224:  # noqa: PLR2004
        return at + 2 + ((first - 192) << 8) + int.from_bytes(data[at + 1 : at + 2]) + 192
    if first < 255:  # noqa: PLR2004
        return len(data)
    return at + 5 + int.from_bytes(data[at + 1 : at + 5])


def _end_of_old(data: bytes, at: int, kind: int) -> int:
    if kind == 3:  # noqa: PLR2004  (indeterminate length, RFC 4880, 4.2.1)
        return len(data)
    width = 1 << kind
    return at + width + int.from_bytes(data[at : at + width])


def dearmor(data: bytes) -> bytes:
    """The packets of all armored blocks in `data`, or `data` itself when it is binary already.

    Raises Malformed when a block is damaged or there is neither armor nor a packet.
    """
    if data[:1] >= b"\x80":
        return data
    bodies = [_body(match[2]) for match in _BLOCK.finditer(data)]
    if not bodies:
        raise Malformed("There is no complete OpenPGP block.")
    return b"".join(bodies)


def _body(text: bytes) -> bytes:
    lines = [line.strip() for line in text.splitlines()]
    while lines and (not lines[0] or _HEADER.match(lines[0])):
        lines.pop(0)
    kept = [line for line in lines if line and not line.startswith(b"=")]
    try:
        return base64.b64decode(b"".join(kept), validate=True)
    except binascii.Error:
        raise Malformed("An OpenPGP block is damaged.") from None


def armor(data: bytes) -> bytes:
    """Public keys as one armored block; the checksum is left out (optional since RFC 4880, 6.1)."""
    text = base64.b64encode(data)
    lines = [text[at : at + _LINE] for at in range(0, len(text), _LINE)]
    title = b"PGP PUBLIC KEY BLOCK-----"
    return b"\n".join([b"-----BEGIN " + title, b"", *lines, b"-----END " + title, b""])


def recipients(message: bytes) -> int | None:
    """How many public keys a binary message is encrypted to; None if a passphrase opens it as well."""
    count = 0
    for packet in packets(message):
        if packet.tag == SYMMETRIC_KEY_ENCRYPTED_SESSION_KEY:
            return None
        if packet.tag != PUBLIC_KEY_ENCRYPTED_SESSION_KEY:
            return count
        count += 1
    return count
