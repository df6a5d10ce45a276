# SPDX-License-Identifier: AGPL-3.0-or-later
"""Ed25519 signatures on JSON, as Matrix makes them (specification, appendix "Signing JSON")."""

import base64
import json
from typing import Any

from storage.sealing import ed25519

Json = dict[str, Any]
UNSIGNED_PARTS = ("signatures", "unsigned")


def canonical(value: Json) -> bytes:
    """Canonical JSON without the parts that signatures don't cover."""
    covered = {key: part for key, part in value.items() if key not in UNSIGNED_PARTS}
    return json.dumps(covered, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def encode(raw: bytes) -> str:
    """Unpadded base64."""
    return base64.b64encode(raw).decode().rstrip("=")


def decode(text: str) -> bytes:
    """The bytes of unpadded base64; raises ValueError."""
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def public_key(seed: bytes) -> str:
    """The public half of the key made from a 32-byte seed, in unpadded base64."""
    return encode(ed25519.public_half(seed))


def signed(value: Json, user_id: str, seed: bytes) -> Json:
    """A copy of the value that also carries the user's signature by this key."""
    signature = encode(ed25519.sign(seed, canonical(value)))
    return with_signature(value, user_id, public_key(seed), signature)


def with_signature(value: Json, user_id: str, key_id: str, signature: str) -> Json:
    """A copy of the value with one more signature beside those it has."""
    present = value.get("signatures", {})
    mine = {**present.get(user_id, {}), f"ed25519:{key_id}": signature}
    return {**value, "signatures": {**present, user_id: mine}}


def is_signed(value: Json, user_id: str, key: str) -> bool:
    """Whether the value carries a signature of the user by this public key, and it is right."""
    try:
        signature = decode(value["signatures"][user_id][f"ed25519:{key}"])
        return ed25519.verifies(decode(key), canonical(value), signature)
    except (KeyError, TypeError, ValueError):
        return False


def only_key(value: Json | None) -> str | None:
    """The one public key of a cross-signing object (MSC1756), or None when it has another shape."""
    keys = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(keys, dict) or len(keys) != 1:
        return None
    ((name, key),) = keys.items()
    return key if isinstance(key, str) and name == f"ed25519:{key}" else None
