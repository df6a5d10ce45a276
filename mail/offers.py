# SPDX-License-Identifier: AGPL-3.0-or-later
"""Public keys a letter offers: attached, in its Autocrypt header, or in a report's text."""

import base64
import binascii
import textwrap
from collections.abc import Iterator
from typing import Literal

from desk.opened import OfferedKey
from mail.openpgp import KeyRefused, Keyring, PublicKey
from mail.parts import Part

Source = Literal["autocrypt", "attached", "report", "imported"]

MOST_KEYS = 5
"""Attachments with keys, and blocks in each, that are read; each costs two runs of GnuPG."""
_AUTOCRYPT_CHARS = 10 * 1024
_ARMOR_BEGIN = b"-----BEGIN PGP PUBLIC KEY BLOCK-----"
_ARMOR_END = b"-----END PGP PUBLIC KEY BLOCK-----"


def key_blocks(content: bytes) -> Iterator[bytes]:
    """Yield the armored public key blocks in a text, in order."""
    end = 0
    while (begin := content.find(_ARMOR_BEGIN, end)) >= 0 and (stop := content.find(_ARMOR_END, begin)) >= 0:
        end = stop + len(_ARMOR_END)
        yield content[begin:end] + b"\n"


def read_offers(
    keyring: Keyring,
    blocks: list[bytes],
    source: Source,
    problems: list[str],
) -> list[OfferedKey]:
    """Read the first five offered blocks; what is no usable public key becomes a sentence in `problems`."""
    offers: list[OfferedKey] = []
    for block in blocks[:MOST_KEYS]:
        try:
            keys = keyring.read_public_keys(block)
        except KeyRefused as refused:
            problems.append(f"An offered key cannot be used: {refused}")
        else:
            offers += [offered(key, source) for key in keys]
    if len(blocks) > MOST_KEYS:
        problems.append(f"The letter offers {len(blocks)} keys; only the first {MOST_KEYS} were read.")
    return offers


def offered(key: PublicKey, source: Source) -> OfferedKey:
    """Return what the desk keeps of a public key."""
    return OfferedKey(
        key.fingerprint,
        source,
        key.armor,
        key.encrypts_until,
        problem=_problem(key),
        algorithm=key.algorithm,
        created_at=key.created,
        addresses=key.addresses,
    )


def _problem(key: PublicKey) -> Literal["", "revoked", "unusable"]:
    if key.revoked:
        return "revoked"
    return "" if key.is_for_encryption else "unusable"


def autocrypt_block(letter: Part) -> bytes | None:
    """Return the key of the Autocrypt header (Level 1, 2.1 and 2.3) as an armored block.

    None unless there is exactly one valid header, for the one address of From, in no report.
    """
    senders = letter.headers.addresses("from")
    if letter.type == "multipart/report" or len(senders) != 1 or len(letter.headers.raw("from")) != 1:
        return None
    keys = [
        key for value in letter.headers.whole("autocrypt") if (key := _read_autocrypt(value, senders[0][1]))
    ]
    return _armored(keys[0]) if len(keys) == 1 else None


def _read_autocrypt(value: str, sender: str) -> bytes | None:
    if len(value) > _AUTOCRYPT_CHARS:
        return None
    attributes: dict[str, str] = {}
    for item in value.split(";"):
        name, _, setting = item.partition("=")
        attributes[name.strip().lower()] = setting.strip()
    critical = {name for name in attributes if name and not name.startswith("_")}
    if not critical <= {"addr", "prefer-encrypt", "keydata"} or attributes.get("addr", "").lower() != sender:
        return None
    try:
        return base64.b64decode("".join(attributes.get("keydata", "").split()), validate=True) or None
    except (binascii.Error, ValueError):
        return None


def _armored(key: bytes) -> bytes:
    lines = "\n".join(textwrap.wrap(base64.b64encode(key).decode("ascii"), 64)).encode("ascii")
    return _ARMOR_BEGIN + b"\n\n" + lines + b"\n" + _ARMOR_END + b"\n"
