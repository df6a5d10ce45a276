# SPDX-License-Identifier: AGPL-3.0-or-later
"""Two copies of one public key become one: newer expiry, new subkeys and revocations of both."""

from dataclasses import replace

from desk.keys.offers import KeyGrown, digest_of
from desk.letters.opened import OfferedKey, Opened
from mail.openpgp.ephemeral_homes import passing_home
from mail.openpgp.keyring import GpgLimits, KeyRefused, PublicKey, read_public_key
from mail.openpgp.process import GuardedGpg
from mail.openpgp.public_keys import offered


def merge_public_keys(known: bytes, copy: bytes, *, limits: GpgLimits | None = None) -> PublicKey:
    """Merge two copies of one key, as `read_public_key` gives them, in a home that is thrown away. Blocking.

    GnuPG takes in only what the key's own signatures prove. Raises KeyRefused when they are no copies of one
    key, and KeyringUnusable when GnuPG fails.
    """
    with passing_home() as home:
        gpg = GuardedGpg(home, limits or GpgLimits())
        for key in (known, copy):
            gpg.run(["--import-options", "no-import-local-sigs", "--import"], key)
        merged = gpg.run(["--export-options", "export-minimal", "--export"], b"").data
    return read_public_key(merged, limits=limits)


def merged_offer(known: bytes, offer: OfferedKey) -> OfferedKey:
    """Return what the desk keeps when a known key is offered in another form. Blocking.

    Where GnuPG cannot merge them, that is the key as it is known.
    """
    try:
        key = merge_public_keys(known, offer.armor)
    except KeyRefused:
        key = read_public_key(known)
    return replace(
        offered(key, offer.source),
        prefers_encryption=offer.prefers_encryption,
        grown_from=digest_of(known),
        came_as=digest_of(offer.armor),
    )


def with_merged_key(opened: Opened, grown: KeyGrown) -> Opened:
    """Return the opened letter with its copy of a known key merged with what is known. Blocking."""
    keys = [
        merged_offer(grown.known, key) if key.fingerprint == grown.offered.fingerprint else key
        for key in opened.keys
    ]
    return replace(opened, keys=tuple(keys))
