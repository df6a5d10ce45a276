# SPDX-License-Identifier: AGPL-3.0-or-later
"""Public keys a letter offers: attached, in its Autocrypt header, or in a report's text."""

import base64
import binascii
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from desk.letters.opened import Automatic, OfferedKey
from mail.mime.parts import Part
from mail.openpgp.keyring import KeyRefused, Keyring
from mail.openpgp.public_keys import Source, offered
from mail.origin.automatic import why_automatic
from mail.text.headers import HeaderBlock

MOST_KEYS = 5
"""Attachments with keys, and blocks in each, that are read; each costs two runs of GnuPG."""
_AUTOCRYPT_CHARS = 10 * 1024
_TYPE = ("type", "1")
"""What the drafts of 2016 and 2017 had programs say of every OpenPGP key."""
_ARMOR_BEGIN = b"-----BEGIN PGP PUBLIC KEY BLOCK-----"
_ARMOR_END = b"-----END PGP PUBLIC KEY BLOCK-----"


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


def read_autocrypt(
    keyring: Keyring, letter: Part, problems: list[str], inner: HeaderBlock | None = None
) -> list[OfferedKey]:
    """Read the key of the Autocrypt header (Level 1, 2.1 to 2.3), if need be among the protected fields.

    There is none unless exactly one header is valid, names the one address of From and holds one key, and the
    letter is no report, bounce or mail through a list. Dates are not compared, as copies of a key are merged.
    """
    senders = letter.headers.addresses("from")
    if len(senders) != 1 or len(letter.headers.raw("from")) != 1 or _is_forwarded_or_returned(letter):
        return []
    values = letter.headers.whole("autocrypt") or (inner.whole("autocrypt") if inner is not None else [])
    found = [header for value in values if (header := _read_header(value, senders[0][1]))]
    if len(found) != 1:
        return []
    offers = read_offers(keyring, [_armored(found[0].key)], "autocrypt", problems)
    return [replace(offers[0], prefers_encryption=found[0].is_mutual)] if len(offers) == 1 else []


def _is_forwarded_or_returned(letter: Part) -> bool:
    reason = why_automatic(letter, None)
    return letter.type == "multipart/report" or reason in {Automatic.BOUNCE, Automatic.LIST}


@dataclass(frozen=True)
class _Header:
    key: bytes = field(repr=False)
    is_mutual: bool


def _read_header(value: str, sender: str) -> _Header | None:
    if len(value) > _AUTOCRYPT_CHARS:
        return None
    pairs = [item.partition("=") for item in value.split(";") if item.strip()]
    attributes = {name.strip().lower(): setting.strip() for name, _, setting in pairs}
    critical = {name for name in attributes if not name.startswith("_") and (name, attributes[name]) != _TYPE}
    is_odd = len(attributes) != len(pairs) or not critical <= {"addr", "prefer-encrypt", "keydata"}
    if is_odd or attributes.get("addr", "").lower() != sender:
        return None
    try:
        key = base64.b64decode("".join(attributes.get("keydata", "").split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    return _Header(key, attributes.get("prefer-encrypt", "").lower() == "mutual") if key else None


def each_once(keys: Sequence[OfferedKey]) -> tuple[OfferedKey, ...]:
    """Return each key once, as it came first, with what any Autocrypt header says of it."""
    first: dict[str, OfferedKey] = {}
    for key in keys:
        known = first.setdefault(key.fingerprint, key)
        if known.prefers_encryption is None:
            first[key.fingerprint] = replace(known, prefers_encryption=key.prefers_encryption)
    return tuple(first.values())


def _armored(key: bytes) -> bytes:
    lines = "\n".join(textwrap.wrap(base64.b64encode(key).decode("ascii"), 64)).encode("ascii")
    return _ARMOR_BEGIN + b"\n\n" + lines + b"\n" + _ARMOR_END + b"\n"
