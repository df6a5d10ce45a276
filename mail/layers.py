# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is left of a letter when its OpenPGP layers are off, and how parts of a letter are told as parts."""

from dataclasses import dataclass, replace

from desk.opened import Encryption, EncryptionState, Signature, SignatureState
from mail.mime import clean_text
from mail.openpgp import Decrypted
from mail.parts import Part

_NOT_AS_SAID = "The letter claims to be encrypted, but its content is not."
NOT_ENCRYPTED = Encryption(EncryptionState.NONE)


@dataclass(frozen=True)
class Layers:
    """A letter without its OpenPGP layers."""

    form: str
    encryption: Encryption
    payload: Part | None
    """The tree that the layers hold; None when it is a bare text or could not be had."""
    text: str | None = None
    """The text of an inline message."""
    signatures: tuple[Signature, ...] = ()
    outside: tuple[tuple[Part, Part], ...] = ()
    """Unprotected trees, each with the protected part in it that was opened."""
    outside_text: str = ""
    """Text before and after an inline block."""
    sessions: tuple[str, ...] = ()
    """Digests of the session keys of what was decrypted."""
    problems: tuple[str, ...] = ()


NOT_ENCRYPTED = Encryption(EncryptionState.NONE)


def sessions_of(opened: Decrypted) -> tuple[str, ...]:
    """Return the digest of a decryption's session key, if there is one."""
    return (opened.session_digest,) if opened.session_digest else ()


def not_as_said(form: str, opened: Decrypted, problems: tuple[str, ...]) -> Layers:
    """What was announced as encrypted and is not: shown, but as something that anybody may have written."""
    words = "" if opened.data is None else clean_text(opened.data, "")[0]
    signatures = tuple(as_partial(one) for one in opened.signatures)
    problems = (*problems, _NOT_AS_SAID)
    return Layers(
        form, opened.encryption, None, text="", signatures=signatures, outside_text=words, problems=problems
    )


def partly(encryption: Encryption) -> Encryption:
    """Tell a sound decryption of a part as just that."""
    return Encryption(EncryptionState.PARTIAL, encryption.detail or "only a part of the letter was encrypted")


def as_partial(signature: Signature) -> Signature:
    """A good signature on a part of a letter is never told as a good signature."""
    is_good = signature.state in {SignatureState.GOOD, SignatureState.GOOD_OTHER_SENDER}
    state = SignatureState.PARTIAL if is_good else signature.state
    return replace(signature, state=state, covers="part")
