# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is left of a letter when its OpenPGP layers are off, and how parts of a letter are told as parts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from desk.letters.opened import Encryption, EncryptionState, Signature, SignatureState
from mail.limits import LETTER_BYTES
from mail.mime.content import Content, clean_text
from mail.mime.parts import Part
from mail.openpgp.keyring import Decrypted, Keyring

MOST_LAYERS = 4
MOST_OPENED = 10
"""Messages of OpenPGP in one letter that are opened or checked; each costs one to three runs of GnuPG."""

NOT_ENCRYPTED = Encryption(EncryptionState.NONE)
_NOT_AS_SAID = "The letter claims to be encrypted, but its content is not."
_TOO_MANY = "The letter has more encrypted or signed parts than are opened, or too large ones; not all were."
_TOO_DEEP = "The letter has too many layers of protection."


@dataclass
class LayerOpener:
    """What one letter is opened with, and how often it may still be used."""

    keyring: Keyring
    signers: Sequence[bytes]
    letter: Part
    left: int = MOST_OPENED
    bytes_left: int = LETTER_BYTES

    def decrypt(self, message: bytes) -> Decrypted | None:
        """Open one message; None when the letter has had enough of them."""
        if not self._spend():
            return None
        opened = self.keyring.decrypt(message, self.signers)
        self.bytes_left -= self.bytes_left if opened.exhausting else len(opened.data or b"")
        return opened

    def verify(self, signed: bytes, signature: bytes) -> tuple[Signature, ...]:
        """Check one detached signature; empty when the letter has had enough of them."""
        return self.keyring.verify_detached(signed, signature, self.signers) if self._spend() else ()

    def _spend(self) -> bool:
        self.left -= 1
        return self.left >= 0 and self.bytes_left > 0


@dataclass(frozen=True)
class Layers:
    """A letter, or a part of it, without its OpenPGP layers."""

    form: str
    encryption: Encryption = NOT_ENCRYPTED
    payload: Part | None = None
    """The root of what the layers hold, whose header fields they protect; None for a bare text or a file."""
    inside: tuple[Content, ...] = ()
    """What the layers hold; of an unprotected letter everything."""
    outside: tuple[Content, ...] = ()
    """What stands beside protected parts."""
    signatures: tuple[Signature, ...] = ()
    sessions: tuple[str, ...] = ()
    """Digests of the session keys of what was decrypted."""
    problems: tuple[str, ...] = ()
    unproved: Part | None = None
    """The payload where nothing protects its header fields: what programs mark in it counts all the same."""


def sessions_of(opened: Decrypted) -> tuple[str, ...]:
    """Return the digest of a decryption's session key, if there is one."""
    return (opened.session_digest,) if opened.session_digest else ()


def not_as_said(form: str, opened: Decrypted, problems: tuple[str, ...] = ()) -> Layers:
    """What was announced as encrypted and is not: shown, but as something that anybody may have written."""
    words = "" if opened.data is None else clean_text(opened.data, "")[0]
    return Layers(
        form,
        opened.encryption,
        outside=(Content([words]),),
        signatures=tuple(as_partial(one) for one in opened.signatures),
        problems=(*problems, _NOT_AS_SAID),
    )


def not_opened(form: str, *, too_deep: bool = False) -> Layers:
    """What is left shut because the letter has too much of it."""
    problem = _TOO_DEEP if too_deep else _TOO_MANY
    shut = Encryption(EncryptionState.UNDECRYPTABLE, f"{problem} Nothing of them is shown.")
    return Layers(form, shut, problems=(problem,))


def within(outer: Layers, inner: Layers) -> Layers:
    """Join a layer with what was found in it: there, nothing stands outside."""
    plain = inner.form == "plain"
    form = outer.form if plain else f"{outer.form}, {inner.form}"
    failed = inner.encryption.state in {EncryptionState.BROKEN, EncryptionState.UNDECRYPTABLE}
    is_open = outer.encryption.state is EncryptionState.NONE
    return replace(
        inner,
        form=f"{form} and signed" if outer.signatures and plain else form,
        # A message inside that could not be opened is what the agent must read about.
        encryption=inner.encryption if failed or is_open else outer.encryption,
        inside=(*inner.outside, *inner.inside),
        outside=(),
        signatures=outer.signatures + inner.signatures,
        sessions=outer.sessions + inner.sessions,
        problems=outer.problems + inner.problems,
    )


def partly(encryption: Encryption, why: str = "") -> Encryption:
    """Tell a sound decryption of a part as just that."""
    detail = encryption.detail or why or "Only a part of the letter was encrypted."
    return Encryption(EncryptionState.PARTIAL, detail)


def as_partial(signature: Signature) -> Signature:
    """A good signature on a part of a letter is never told as a good signature."""
    is_good = signature.state in {SignatureState.GOOD, SignatureState.GOOD_OTHER_SENDER}
    state = SignatureState.PARTIAL if is_good else signature.state
    return replace(signature, state=state, covers="part")
