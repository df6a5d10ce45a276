# SPDX-License-Identifier: AGPL-3.0-or-later
"""Ed25519 (RFC 8032) for the bot's Matrix identity: here, because only storage speaks to `cryptography`."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


def public_half(seed: bytes) -> bytes:
    """Return the public key, 32 bytes, of the secret key made from a 32-byte seed."""
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def sign(seed: bytes, message: bytes) -> bytes:
    """Return the signature, 64 bytes, of the secret key made from a 32-byte seed."""
    return Ed25519PrivateKey.from_private_bytes(seed).sign(message)


def verifies(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature over exactly this message is is this key's. Raises ValueError for no key."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True
