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
ENCRYPTED_DATA = 18
_SESSION_KEYS = frozenset({PUBLIC_KEY_ENCRYPTED_SESSION_KEY, SYMMETRIC_KEY_ENCRYPTED_SESSION_KEY})

_BEGIN = re.compile(rb"-----BEGIN PGP ([A-Z ]{3,30})-----[ \t\r]*\n")
_HEADER = re.compile(rb"[A-Za-z-]{1,40}:(?: |$)")
_LINE = 64
MESSAGE_BEGIN, MESSAGE_END = b"-----BEGIN PGP MESSAGE-----", b"-----END PGP MESSAGE-----"
SIGNED_BEGIN = b"-----BEGIN PGP SIGNED MESSAGE-----"
"""A clearsigned text ends where the signature below it does (RFC 9580, 7)."""
_SIGNATURE_BEGIN = b"-----BEGIN PGP SIGNATURE-----"
SIGNATURE_END = b"-----END PGP SIGNATURE-----"
_LONGEST_SIGNATURE = 64 * 1024


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
    bodies = [_body(block) for block in _blocks(data)]
    if not bodies:
        raise Malformed("There is no complete OpenPGP block.")
    return b"".join(bodies)


def _blocks(data: bytes) -> Iterator[bytes]:
    """What stands between the first and the last line of each block."""
    begin = _BEGIN.search(data)
    while begin:
        end = data.find(b"-----END PGP " + begin[1] + b"-----", begin.end())
        if end < 0:
            raise Malformed("There is no complete OpenPGP block.")
        yield data[begin.end() : end]
        begin = _BEGIN.search(data, end)


def _body(text: bytes) -> bytes:
    at = 0
    while at < len(text):
        end = text.find(b"\n", at) + 1 or len(text)
        line = text[at:end].strip()
        if line and not _HEADER.match(line):
            break
        at = end
    checksum = text.rfind(b"\n=", at)
    data = text[at : checksum if checksum >= 0 else None].translate(None, b" \t\r\n").rstrip(b"=")
    try:
        return binascii.a2b_base64(data + b"=" * (-len(data) % 4), strict_mode=True)
    except binascii.Error:
        raise Malformed("An OpenPGP block is damaged.") from None


def with_checksum(clearsigned: bytes) -> bytes:
    """A clearsigned text with the checksum that GnuPG 2.2 wants, and RFC 9580, 6.1, makes optional.

    Raises Malformed when its signature cannot be read.
    """
    begin, end = clearsigned.rfind(_SIGNATURE_BEGIN), clearsigned.rfind(SIGNATURE_END)
    if not 0 <= begin < end <= begin + _LONGEST_SIGNATURE:
        raise Malformed("There is no complete signature.")
    data = dearmor(clearsigned[begin:] if clearsigned.endswith(b"\n") else clearsigned[begin:] + b"\n")
    return clearsigned[:begin] + _block(b"SIGNATURE", data)


def _crc24(data: bytes) -> int:
    """RFC 9580, 6.1.1."""
    crc = 0xB704CE
    for octet in data:
        crc ^= octet << 16
        for _ in range(8):
            crc <<= 1
            if crc & 0x1000000:
                crc ^= 0x1864CFB
    return crc


def armor(data: bytes) -> bytes:
    """Return public keys as one armored block."""
    return _block(b"PUBLIC KEY BLOCK", data)


def _block(title: bytes, data: bytes) -> bytes:
    """Return data in armor with its checksum, without which GnuPG 2.2 reads on where no "=" ends the data."""
    text = base64.b64encode(data)
    lines = [text[at : at + _LINE] for at in range(0, len(text), _LINE)]
    checksum = b"=" + base64.b64encode(_crc24(data).to_bytes(3))
    ends = [b"-----" + word + b" PGP " + title + b"-----" for word in (b"BEGIN", b"END")]
    return b"\n".join([ends[0], b"", *lines, checksum, ends[1], b""])


def holds_secrets(data: bytes) -> bool:
    """Tell whether there is a secret key in armored or binary data; what cannot be read holds none."""
    try:
        return any(packet.tag in {SECRET_KEY, SECRET_SUBKEY} for packet in packets(dearmor(data)))
    except Malformed:
        return False


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


def is_newer(message: bytes) -> bool:
    """Whether a binary message begins in the format of RFC 9580, which GnuPG does not read.

    That is: a session key packet of version 6, or encrypted data of version 2 (RFC 9580, 5.1.2 and 5.13.2).
    """
    at = 0
    while at < len(message):
        try:
            tag, end = _extent(message, at)
        except Malformed:
            return False
        body = _begin_of_body(message, at)
        version = message[body : body + 1]
        if tag == ENCRYPTED_DATA:
            return version == b"\x02"
        if tag not in _SESSION_KEYS:
            return False
        if version == b"\x06":
            return True
        at = end
    return False


def _begin_of_body(data: bytes, at: int) -> int:
    head, first = data[at], data[at + 1] if at + 1 < len(data) else 0
    if not head & 0x40:
        return at + 1 + (1 << (head & 0x03)) % 8
    if 192 <= first < 224:  # noqa: PLR2004  (RFC 9580, 4.2.1)
        return at + 3
    return at + (6 if first == 255 else 2)  # noqa: PLR2004
