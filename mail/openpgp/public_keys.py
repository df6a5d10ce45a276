# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reading public keys that strangers send, and GnuPG's colon listings (doc/DETAILS)."""

import datetime as dt
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from desk.letters.opened import OfferedKey
from mail.openpgp import packets as pgp_packets
from mail.openpgp.process import GuardedGpg, KeyringUnusable, Run

Source = Literal["autocrypt", "attached", "report", "imported"]
"""Where a key was offered, or that a sysadmin brought it."""

_MOST_KEYS = 8
_RSA = frozenset({"1", "2", "3"})
_MODULAR = _RSA | {"16", "17"}
"""RSA, Elgamal and DSA, whose strength is in their length (RFC 4880, 9.1)."""
_FEWEST_BITS = 2048
_ADDRESS = r"[^\s<>@,;()\"]+@[^\s<>@,;()\"]+"
_USER_ID = re.compile(rf"[^<>]*<(?P<named>{_ADDRESS})>(?:\s*\([^<>]*\))?|(?P<bare>{_ADDRESS})")
"""One address in angle brackets: a name in front may look like one (boss@x.example <me@y.example>)."""
_ESCAPE = re.compile(rb"\\x([0-9a-fA-F]{2})")
_PLAIN = frozenset(
    (
        pgp_packets.PUBLIC_KEY,
        pgp_packets.PUBLIC_SUBKEY,
        pgp_packets.SIGNATURE,
        pgp_packets.USER_ID,
        pgp_packets.USER_ATTRIBUTE,
    )
)


class KeyRefused(Exception):
    """A key cannot be used; the text says why, without personal data."""

    exit_code = os.EX_DATAERR


@dataclass(frozen=True)
class PublicKey:
    """One public key, made minimal: newest self-signatures only, no photos, no signatures of others."""

    fingerprint: str
    """40 hexadecimal digits of the primary key."""
    user_ids: tuple[str, ...] = field(repr=False)
    """With control, bidirectional and other invisible characters escaped."""
    addresses: tuple[str, ...] = field(repr=False)
    """Mail addresses of the user ids, lower case."""
    created: dt.datetime
    expires: dt.datetime | None
    expired: bool
    revoked: bool
    can_encrypt: bool
    """Whether one can encrypt to it now."""
    is_for_encryption: bool
    """Whether one can encrypt to it at some time: it has a part strong enough for that, and not revoked."""
    encrypts_until: dt.datetime | None
    """When the last part that one can encrypt to expires, or the whole key; None when neither does."""
    algorithm: str
    """Of the primary key, such as "Ed25519" or "RSA 4096"."""
    key_ids: tuple[str, ...]
    """16 hexadecimal digits each, of the primary key and its subkeys."""
    armor: bytes = field(repr=False)


@dataclass(frozen=True)
class SecretKey:
    """One of the desk's own keys."""

    fingerprint: str
    fingerprints: frozenset[str]
    """Of the primary key and its subkeys."""
    user_ids: tuple[str, ...]
    expires: dt.datetime | None
    expired: bool
    revoked: bool
    can_sign: bool
    can_decrypt: bool
    works_until: dt.datetime | None = None
    """When the first of its uses ends: signing or being encrypted to; None when neither does."""


@dataclass(frozen=True)
class Listed:
    """One primary key of a colon listing, with the rows that belong to it."""

    rows: tuple[tuple[str, ...], ...]

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Of the primary key, then of its subkeys."""
        return tuple(row[9] for row in self.rows if row[0] == "fpr")

    def fingerprint_of(self, row: tuple[str, ...]) -> str:
        """Of the primary key or subkey in a row."""
        after = self.rows[self.rows.index(row) + 1 :]
        return next(other[9] for other in after if other[0] == "fpr")

    @property
    def user_ids(self) -> tuple[str, ...]:
        """Escaped; without those that were revoked."""
        return tuple(visible(row[9]) for row in self.rows if row[0] == "uid" and row[1] != "r")

    @property
    def validity(self) -> str:
        """Field 2 of the primary key."""
        return self.rows[0][1]

    @property
    def capabilities(self) -> str:
        """Field 12: in upper case what the whole key can do now."""
        return self.rows[0][11]

    @property
    def revoked(self) -> bool:
        """Whether its owner revoked it."""
        return self.validity == "r"

    @property
    def usable(self) -> bool:
        """Neither expired, revoked, invalid nor disabled."""
        return self.validity not in {"e", "i", "r"} and "D" not in self.capabilities

    @property
    def created(self) -> dt.datetime:
        """In UTC."""
        return dt.datetime.fromtimestamp(int(self.rows[0][5]), dt.UTC)

    @property
    def expires(self) -> dt.datetime | None:
        """In UTC."""
        return _end_of(self.rows[0])

    @property
    def algorithm(self) -> str:
        """Of the primary key: the curve, or RSA or DSA with its length in bits."""
        row = self.rows[0]
        if row[3] in _MODULAR:
            return f"{'RSA' if row[3] in _RSA else 'DSA'} {row[2]}"
        return row[16].capitalize() if len(row) > 16 and row[16] else f"algorithm {row[3]}"  # noqa: PLR2004  (field 17)

    def ends_of(self, capability: str) -> list[dt.datetime | None]:
        """When each part with a capability ("e", "s") expires; without parts that are revoked or too weak."""
        rows = [row for row in self.rows if row[0] in {"pub", "sub", "sec", "ssb"}]
        sound = [row for row in rows if capability in row[11] and row[1] not in {"r", "i"}]
        return [_end_of(row) for row in sound if row[3] not in _MODULAR or int(row[2]) >= _FEWEST_BITS]

    def works_until(self, capability: str) -> dt.datetime | None:
        """When the key has no part with this capability any more; None when that is never."""
        ends = self.ends_of(capability)
        latest = None if None in ends or not ends else max(end for end in ends if end is not None)
        return min((end for end in (self.expires, latest) if end is not None), default=None)


def _end_of(row: tuple[str, ...]) -> dt.datetime | None:
    return dt.datetime.fromtimestamp(int(row[6]), dt.UTC) if row[6] else None


def listed(listing: bytes) -> list[Listed]:
    """The primary keys of a colon listing."""
    keys: list[list[tuple[str, ...]]] = []
    for line in listing.split(b"\n"):
        row = tuple(_unescaped(cell) for cell in line.split(b":"))
        if row[0] in {"pub", "sec"}:
            keys.append([])
        if keys and len(row) > 9:  # noqa: PLR2004  (every row we read has a field 10)
            keys[-1].append(row)
    return [Listed(tuple(rows)) for rows in keys]


def _unescaped(cell: bytes) -> str:
    return _ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), cell).decode("utf-8", "replace")


def visible(text: str) -> str:
    """`text` with every character that one cannot see written as an escape sequence."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def read_public_keys(gpg: GuardedGpg, key: bytes) -> tuple[PublicKey, ...]:
    """Read armored or binary public keys without storing them anywhere.

    Raises KeyRefused when they are too large, hold secrets or are no usable keys.
    """
    packets = _acceptable(key, gpg.limits.key_bytes)
    options = "import-minimal,import-export,no-import-local-sigs"
    exported = gpg.run(["--import-options", options, "--import"], packets)
    if exported.killed:
        raise KeyRefused("Reading the key took too long.")
    minimal = list(_one_by_one(exported.data))
    if not 0 < len(minimal) <= _MOST_KEYS:
        raise KeyRefused("There is no usable public key in it.")
    # With the trust model "always", GnuPG dies of a revoked key in a home that has no trust database.
    listing = gpg.run(["--trust-model", "direct", "--show-keys"], b"".join(minimal))
    found = listed(listing.data)
    if listing.returncode != 0 or len(found) != len(minimal):
        raise KeyRefused("GnuPG cannot read the key.")
    return tuple(_public_key(one, packets) for one, packets in zip(found, minimal, strict=True))


def _acceptable(key: bytes, limit: int) -> bytes:
    if len(key) > limit:
        raise KeyRefused(f"The key is larger than {limit // 1024} KB.")
    if b"-----BEGIN PGP PRIVATE KEY" in key:
        raise KeyRefused("This is a private key. It is not safe any more and should be replaced.")
    try:
        data = pgp_packets.dearmor(key)
        tags = [packet.tag for packet in pgp_packets.packets(data)]
    except pgp_packets.Malformed as problem:
        raise KeyRefused(str(problem)) from None
    if {pgp_packets.SECRET_KEY, pgp_packets.SECRET_SUBKEY}.intersection(tags):
        raise KeyRefused("This is a private key. It is not safe any more and should be replaced.")
    if not 0 < tags.count(pgp_packets.PUBLIC_KEY) <= _MOST_KEYS:
        raise KeyRefused(f"There are no public keys in it or more than {_MOST_KEYS}.")
    return data


def _one_by_one(data: bytes) -> Iterator[bytes]:
    """Each key's packets, without photos."""
    key: list[bytes] = []
    photo = False
    try:
        for packet in pgp_packets.packets(data):
            if packet.tag not in _PLAIN:
                raise KeyRefused("The key holds something which is no part of a public key.")
            if packet.tag == pgp_packets.PUBLIC_KEY and key:
                yield b"".join(key)
                key.clear()
            photo = _in_photo(packet.tag, photo=photo)
            if not photo:
                key.append(packet.raw)
    except pgp_packets.Malformed:
        raise KeyRefused("GnuPG cannot read the key.") from None
    if key:
        yield b"".join(key)


def _in_photo(tag: int, *, photo: bool) -> bool:
    return tag == pgp_packets.USER_ATTRIBUTE or (photo and tag == pgp_packets.SIGNATURE)


def _public_key(one: Listed, packets: bytes) -> PublicKey:
    return PublicKey(
        fingerprint=one.fingerprints[0],
        user_ids=one.user_ids,
        addresses=tuple(_addresses(one.user_ids)),
        created=one.created,
        expires=one.expires,
        expired=one.validity == "e",
        revoked=one.revoked,
        can_encrypt=one.usable and "E" in one.capabilities,
        is_for_encryption=bool(one.ends_of("e")),
        encrypts_until=one.works_until("e"),
        algorithm=one.algorithm,
        key_ids=tuple(fingerprint[-16:] for fingerprint in one.fingerprints),
        armor=pgp_packets.armor(packets),
    )


def _addresses(user_ids: Sequence[str]) -> Iterator[str]:
    for user_id in user_ids:
        found = _USER_ID.fullmatch(user_id.strip())
        if found:
            yield (found["named"] or found["bare"]).lower()


def addresses_in(listing: bytes, fingerprint: str) -> frozenset[str]:
    """The addresses of the one key with this fingerprint in a colon listing."""
    keys = [one for one in listed(listing) if one.fingerprints[:1] == (fingerprint,)]
    return frozenset(address for one in keys for address in _addresses(one.user_ids))


def secret_keys(gpg: GuardedGpg) -> tuple[SecretKey, ...]:
    """The desk's own keys. Raises KeyringUnusable."""
    listing = gpg.run(["--list-secret-keys"], b"")
    if listing.returncode != 0:
        raise KeyringUnusable("GnuPG cannot list the desk's keys.")
    return tuple(
        SecretKey(
            fingerprint=one.fingerprints[0],
            fingerprints=frozenset(one.fingerprints),
            user_ids=one.user_ids,
            expires=one.expires,
            expired=one.validity == "e",
            revoked=one.revoked,
            can_sign=one.usable and "S" in one.capabilities,
            can_decrypt="e" in one.capabilities.lower(),
            works_until=min(
                (end for end in (one.works_until("s"), one.works_until("e")) if end is not None), default=None
            ),
        )
        for one in listed(listing.data)
    )


def extend_key(
    gpg: GuardedGpg, run: Callable[[list[str], bytes], Run], fingerprint: str, period: str
) -> None:
    """Set when one of the desk's own keys expires, with the subkeys in use; `run` has its passphrase.

    Raises KeyRefused.
    """

    def expire(*subkey: str) -> None:
        done = run(["--quick-set-expire", fingerprint, period, *subkey], b"")
        if done.returncode != 0:
            raise KeyRefused("GnuPG did not extend the key: it is not there, or the passphrase is wrong.")

    expire()
    # While the primary key is over, all its subkeys are listed as over.
    for subkey in _subkeys_in_use(gpg, fingerprint):
        expire(subkey)


def _subkeys_in_use(gpg: GuardedGpg, fingerprint: str) -> tuple[str, ...]:
    """Fingerprints of a key's subkeys that live, and of the newest for each use that has none any more."""
    [key] = listed(gpg.run(["--list-keys", "--", fingerprint], b"").data)
    subkeys = [
        (row, key.fingerprint_of(row)) for row in key.rows if row[0] == "sub" and row[1] not in {"r", "i"}
    ]
    chosen = [found for row, found in subkeys if row[1] != "e"]
    for capability in ("s", "e"):
        able = [(row[1], found) for row, found in subkeys if capability in row[11]]
        if able and all(validity == "e" for validity, _ in able):
            chosen.append(able[-1][1])
    return tuple(dict.fromkeys(chosen))


def export_minimal(gpg: GuardedGpg, fingerprint: str, *filters: str) -> bytes:
    """Export a public key of the home, armored, with the newest self-signatures only."""
    args = ["--armor", "--export-options", "export-minimal", *filters, "--export", fingerprint]
    return gpg.run(args, b"").data


def export_for(gpg: GuardedGpg, fingerprint: str, address: str) -> bytes | None:
    """Export it without dead subkeys, of its user ids only that of an address; None where it has none."""
    named = ["--export-filter", f"keep-uid=mbox = {address}"]
    alive = ["--export-filter", "drop-subkey=expired -t || revoked -t"]
    key = export_minimal(gpg, fingerprint, *named, *alive)
    try:
        tags = {packet.tag for packet in pgp_packets.packets(pgp_packets.dearmor(key))}
    except pgp_packets.Malformed:
        return None
    return key if pgp_packets.USER_ID in tags else None


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
