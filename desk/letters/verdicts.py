# SPDX-License-Identifier: AGPL-3.0-or-later
"""What agents read about encryption and signatures: in words, never green for nothing."""

from desk.letters.opened import EncryptionState, Opened, SignatureState

ENCRYPTION_WORDS = {
    EncryptionState.NONE.value: "not encrypted",
    EncryptionState.OK.value: "encrypted",
    EncryptionState.UNDECRYPTABLE.value: "encrypted, cannot be opened",
    EncryptionState.BROKEN.value: "BROKEN encryption, not shown",
    EncryptionState.PARTIAL.value: "only partly encrypted",
}
SIGNATURE_WORDS = {
    "none": "not signed",
    SignatureState.GOOD.value: "signed with a key seen here",
    SignatureState.GOOD_OTHER_SENDER.value: "signed, but by SOMEBODY ELSE than the sender",
    SignatureState.UNKNOWN_KEY.value: "signed with an unknown key",
    SignatureState.EXPIRED_KEY.value: "signed with an EXPIRED key",
    SignatureState.REVOKED_KEY.value: "signed with a REVOKED key",
    SignatureState.BAD.value: "BAD signature",
    SignatureState.PARTIAL.value: "only partly signed",
}


def encryption_words(opened: Opened) -> str:
    """Return one sentence on how a letter was protected."""
    parts = [ENCRYPTION_WORDS[opened.encryption.state.value]]
    parts += [SIGNATURE_WORDS[signature.state.value] for signature in opened.signatures]
    sentence = "; ".join(parts)
    return f"{sentence[0].upper()}{sentence[1:]}."
