# SPDX-License-Identifier: AGPL-3.0-or-later
"""A keyring that runs no GnuPG, so that ten thousand letters a minute can be opened.

What stands between the first and the last line of armor is the plaintext, as it is; its first byte chooses
the verdict. All that Helproom does with a verdict is reached, and only GnuPG itself is not.
"""

import datetime as dt
from collections.abc import Sequence

from desk.letters.opened import Encryption, EncryptionState, Signature, SignatureState
from mail.openpgp.keyring import Decrypted, KeyRefused, Keyring, PublicKey

FINGERPRINT = "0123456789ABCDEF0123456789ABCDEF01234567"
_BEGIN, _END = b"-----BEGIN PGP ", b"-----END PGP "
FILLER = b"A" * 64
"""A line of armor that makes a text look like a message, and stands for nothing."""
_BROKEN, _SHUT, _OPEN = b"!?="
"""First bytes of a plaintext that ask for another verdict than `ok`."""


class OpenKeyring(Keyring):
    """Opens whatever looks like armor, and finds every signature good."""

    def __init__(self) -> None:
        """There is no home, and no agent."""

    def decrypt(self, message: bytes, signers: Sequence[bytes] = ()) -> Decrypted:
        """Hand out what stands between the lines of armor."""
        begin, end = message.find(_BEGIN), message.rfind(_END)
        if begin < 0 or end < 0:
            return Decrypted(Encryption(EncryptionState.BROKEN, "no armor"))
        data = message[begin:end].partition(b"\n")[2].replace(FILLER, b"")
        first = data[0] if data else _BROKEN
        if first in {_BROKEN, _SHUT}:
            state = EncryptionState.BROKEN if first == _BROKEN else EncryptionState.UNDECRYPTABLE
            return Decrypted(Encryption(state, "as asked"), exhausting=len(data) > 1000)  # noqa: PLR2004
        state = EncryptionState.NONE if first == _OPEN else EncryptionState.OK
        return Decrypted(Encryption(state), data, _signatures(data), (FINGERPRINT,), "digest")

    def verify_detached(
        self, signed: bytes, signature: bytes, signers: Sequence[bytes] = ()
    ) -> tuple[Signature, ...]:
        """Find a signature good when it is made of letters."""
        return (Signature(SignatureState.GOOD if signature.isascii() else SignatureState.BAD, FINGERPRINT),)

    def read_public_keys(self, key: bytes) -> tuple[PublicKey, ...]:
        """Take a long block for a key."""
        if len(key) < 100:  # noqa: PLR2004
            raise KeyRefused("too short")
        made = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
        flags = {"expired": False, "revoked": b"r" in key, "can_encrypt": True, "is_for_encryption": True}
        return (
            PublicKey(
                FINGERPRINT,
                ("u",),
                ("u@user.example",),
                made,
                None,
                **flags,
                encrypts_until=None,
                algorithm="Ed25519",
                key_ids=(FINGERPRINT[-16:],),
                armor=key,
            ),
        )

    def addresses_of(self, fingerprint: str, signers: Sequence[bytes] = ()) -> frozenset[str]:
        """The one key there is belongs to one address."""
        return frozenset({"alice@user.example"})


def _signatures(data: bytes) -> tuple[Signature, ...]:
    return (Signature(SignatureState.GOOD, FINGERPRINT),) if b"igned" in data[:2000] else ()
