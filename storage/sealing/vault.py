# SPDX-License-Identifier: AGPL-3.0-or-later
"""Keys and seals: one data key per sealed row family, wrapped by the master key; keyed tags for look-ups."""

import base64
import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MASTER_KEY_BYTES = 32
_NONCE_BYTES = 12
_KEY_ID_BYTES = 8
_FORMAT = b"\x01"


class SealBroken(Exception):
    """A sealed value does not open: wrong key, wrong place, or changed bytes."""


class TagKind(StrEnum):
    """What a tag stands for; the same value has another tag in each kind."""

    ADDRESS = "address"
    MESSAGE_ID = "message-id"
    REPLY_TOKEN = "reply token"  # noqa: S105 - a name
    LETTER = "letter"
    SESSION_KEY = "session key"
    FINGERPRINT = "fingerprint"
    PARTNER = "partner"
    WHISPERBACK = "whisperback"
    PIN = "pin"
    EVENT = "event"
    SENDER = "sender"
    PLACE = "place"


def new_master_key() -> bytes:
    """Return 32 random bytes, to be kept outside the database."""
    return os.urandom(MASTER_KEY_BYTES)


def _derive(master: bytes, purpose: str) -> bytes:
    """HKDF-SHA256 (RFC 5869): one independent 32-byte key per purpose."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"helproom " + purpose.encode()).derive(master)


@dataclass(frozen=True)
class DataKey:
    """An AES-256-GCM key (NIST SP 800-38D) for the personal columns of one row family."""

    secret: bytes = field(repr=False)

    def seal(self, plain: bytes, *, where: str) -> bytes:
        """Return nonce + ciphertext + tag of `plain`, bound to the place `where` ("table|column|ref")."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + AESGCM(self.secret).encrypt(nonce, plain, where.encode())

    def unseal(self, sealed: bytes, *, where: str) -> bytes:
        """Return what `seal` took; raise SealBroken when it was sealed elsewhere or with another key."""
        try:
            return AESGCM(self.secret).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], where.encode())
        except (InvalidTag, ValueError):  # ValueError: cut so short that no nonce is left
            raise SealBroken(f"the seal of {where} does not open with this key") from None


class Vault:
    """What the master key opens: wrapped data keys, and keyed tags that stand for addresses.

    The first master key wraps; the others only unwrap, so that the master key can be changed.
    """

    def __init__(self, master: bytes, *, older: Sequence[bytes] = ()) -> None:
        for key in (master, *older):
            if len(key) != MASTER_KEY_BYTES:
                raise ValueError(f"a master key has {MASTER_KEY_BYTES} bytes, this one has {len(key)}")
        self._key_id = _key_id(master)
        self._wrapping = {_key_id(key): DataKey(_derive(key, "wrap")) for key in (*older, master)}
        self._tagging = _derive(master, "tags")
        self._replying = _derive(master, "reply tokens")

    def new_key(self, *, ref: str) -> tuple[DataKey, bytes]:
        """Return a fresh data key and its wrapped form, which only opens for the row `ref`."""
        secret = os.urandom(32)
        wrapped = self._wrapping[self._key_id].seal(secret, where=f"key|{ref}")
        return DataKey(secret), _FORMAT + self._key_id + wrapped

    def unwrap(self, wrapped: bytes, *, ref: str) -> DataKey:
        """Return the data key in `wrapped`; raise SealBroken when no master key here opens it."""
        key_id = wrapped[1 : 1 + _KEY_ID_BYTES]
        wrapping = self._wrapping.get(key_id)
        if wrapped[:1] != _FORMAT or wrapping is None:
            raise SealBroken("a data key was wrapped by a master key that is not here")
        return DataKey(wrapping.unseal(wrapped[1 + _KEY_ID_BYTES :], where=f"key|{ref}"))

    def tag(self, kind: TagKind, value: str) -> str:
        """Return a keyed HMAC-SHA256 tag (32 hexadecimal digits) to find `value` by, without storing it.

        `kind` keeps tags of different things apart.
        """
        return hmac.digest(self._tagging, f"{kind}\0{value}".encode(), "sha256")[:16].hex()

    def digest(self, raw: bytes) -> str:
        """Return a keyed HMAC-SHA256 (64 hexadecimal digits) of a whole letter, to know it again."""
        return hmac.digest(self._tagging, raw, "sha256").hex()

    def reply_token(self, ref: str) -> str:
        """Return the 16 lower-case characters that stand behind the + in a ticket's reply address."""
        mac = hmac.digest(self._replying, ref.encode(), "sha256")
        return base64.b32encode(mac[:10]).decode().lower()


def _key_id(master: bytes) -> bytes:
    return _derive(master, "key id")[:_KEY_ID_BYTES]


def address_tag(vault: Vault, address: str) -> str:
    """Return the tag of a mail address, whatever the case of its letters."""
    return vault.tag(TagKind.ADDRESS, address.strip().casefold())
