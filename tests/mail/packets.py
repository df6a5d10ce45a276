# SPDX-License-Identifier: AGPL-3.0-or-later
"""OpenPGP packets that GnuPG does not write: those of RFC 9580, and OCB as GnuPG 2.3 writes it."""

import base64
import os

from cryptography.hazmat.primitives.ciphers.aead import AESOCB3

from mail.openpgp.keyring import Keyring
from mail.openpgp.packets import dearmor, packets

_AES256, _OCB, _CHUNK_OCTET = 9, 2, 16


def packet(tag: int, body: bytes) -> bytes:
    """Frame a body, with a length of four octets."""
    return bytes([0xC0 | tag, 0xFF]) + len(body).to_bytes(4) + body


def armored(data: bytes) -> bytes:
    """Armor a message as newer programs do: without a checksum."""
    text = base64.encodebytes(data)
    return b"-----BEGIN PGP MESSAGE-----\n\n" + text + b"-----END PGP MESSAGE-----\n"


def version_6(*, anonymous: bool = False, password: bool = False) -> bytes:
    """Begin a message as RFC 9580 wants it (5.1.2, 5.3.2, 5.13.2); what is encrypted in it is noise."""
    recipient = b"\x00" if anonymous else b"\x21\x06" + os.urandom(32)
    to_key = packet(1, b"\x06" + recipient + b"\x19" + os.urandom(73))
    to_password = packet(3, b"\x06\x1d\x09\x02\x04" + os.urandom(76))
    data = packet(18, b"\x02\x09\x02\x06" + os.urandom(132))
    return (to_password if password else to_key) + data


def literal(data: bytes) -> bytes:
    """Put data into a packet (RFC 9580, 5.9)."""
    return packet(11, b"b\x00" + bytes(4) + data)


def with_ocb(keyring: Keyring, message: bytes, inside: bytes, *, spoil: bool = False) -> bytes:
    """Encrypt packets in an AEAD packet (tag 20) with the session key, and to the recipient, of a message."""
    run = keyring._run_with_secrets(["--show-session-key", "--decrypt"], message)
    algorithm, _, key = (run.session_key or "").partition(":")
    assert algorithm == str(_AES256)
    to_key = next(packets(dearmor(message))).raw
    sealed = bytearray(_aead(bytes.fromhex(key), inside))
    sealed[-20] ^= spoil
    return to_key + packet(20, bytes(sealed))


def _aead(key: bytes, plain: bytes) -> bytes:
    head = bytes([1, _AES256, _OCB, _CHUNK_OCTET])
    start = os.urandom(15)
    cipher, said = AESOCB3(key), b"\xd4" + head
    chunk = cipher.encrypt(start, plain, said + bytes(8))
    last = cipher.encrypt(_nonce(start, 1), b"", said + (1).to_bytes(8) + len(plain).to_bytes(8))
    return head + start + chunk + last


def _nonce(start: bytes, index: int) -> bytes:
    return start[:7] + bytes(a ^ b for a, b in zip(start[7:], index.to_bytes(8), strict=True))
