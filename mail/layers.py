# SPDX-License-Identifier: AGPL-3.0-or-later
"""Taking off the OpenPGP layers of a letter: RFC 3156, and armored text inside plain parts.

Each encrypted part is decrypted on its own, and nothing is shown of one whose verdict is not `ok` (EFAIL).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from desk.opened import Encryption, EncryptionState, Signature, SignatureState
from mail.mime import clean_text
from mail.openpgp import Decrypted, Keyring
from mail.parts import Part, read_parts

MOST_LAYERS = 4
_LINE_END = re.compile(rb"\r?\n")
_ENCRYPTED = (b"-----BEGIN PGP MESSAGE-----", b"-----END PGP MESSAGE-----")
_CLEARSIGNED = (b"-----BEGIN PGP SIGNED MESSAGE-----", b"-----END PGP SIGNATURE-----")
_ARMOR_CHARSET = re.compile(rb"(?im)\A[^\n]*\n(?:[A-Za-z]+:[^\n]*\n)*?Charset:[ \t]*([A-Za-z0-9_.:-]{1,40})")
_NOT_AS_SAID = "The letter claims to be encrypted, but its content is not."
_MALFORMED = "The letter claims to be encrypted mail and is not built like it (RFC 3156); it was not opened."


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


_NOT_ENCRYPTED = Encryption(EncryptionState.NONE)


def take_off(part: Part, keyring: Keyring, signers: Sequence[bytes], depth: int = 0) -> Layers:
    """Take off all layers of a letter or of a decrypted payload.

    Raises Unopenable when a decrypted payload breaks a limit.
    """
    wrapper = part
    while (kind := _protection(part)) is None and len(part.children) == 1:
        part = part.children[0]
    if kind is None:
        return _take_off_below(wrapper, keyring, signers, depth)
    if depth >= MOST_LAYERS:
        return Layers(
            "plain", _NOT_ENCRYPTED, part, problems=("The letter has too many layers of protection.",)
        )
    if kind == "signed":
        return _take_off_signature(part, keyring, signers, depth)
    if kind == "encrypted":
        return _take_off_encryption(part, keyring, signers, depth)
    return _take_off_armor(part, keyring, signers, kind)


def _protection(part: Part) -> Literal["encrypted", "signed", "inline encrypted", "clearsigned"] | None:
    if part.type == "multipart/encrypted" or _is_mixed_up(part):
        return "encrypted"
    if part.type == "multipart/signed":
        is_smime = "pkcs7" in part.params.get("protocol", "").lower()
        return None if is_smime else "signed"
    if part.type == "text/plain" and part.headers.token("content-disposition") != "attachment":
        content = part.content()
        if _find_block(content, _ENCRYPTED):
            return "inline encrypted"
        if _find_block(content, _CLEARSIGNED):
            return "clearsigned"
    return None


def _is_mixed_up(part: Part) -> bool:
    """Some Exchange servers turn multipart/encrypted into mixed, with an empty text in front."""
    if part.type != "multipart/mixed":
        return False
    *front, version, data = [None, None, *part.children]
    if version is None or data is None or version.type != "application/pgp-encrypted":
        return False
    texts = [child for child in front if child is not None]
    is_empty = all(child.type == "text/plain" and not child.content().strip() for child in texts)
    return data.type == "application/octet-stream" and is_empty


def _take_off_encryption(part: Part, keyring: Keyring, signers: Sequence[bytes], depth: int) -> Layers:
    form = "pgp/mime encrypted"
    problems: tuple[str, ...] = ()
    if part.type != "multipart/encrypted":
        problems = ("A mail server on the way has damaged the encrypted letter's form; it was repaired.",)
    elif [child.type for child in part.children] != ["application/pgp-encrypted", "application/octet-stream"]:
        return Layers(form, Encryption(EncryptionState.BROKEN, "malformed"), None, problems=(_MALFORMED,))
    if b"version: 1" not in part.children[-2].content().lower():
        return Layers(form, Encryption(EncryptionState.BROKEN, "malformed"), None, problems=(_MALFORMED,))
    opened = keyring.decrypt(part.children[-1].content(), signers)
    if opened.encryption.state is EncryptionState.NONE:
        return _not_as_said(form, opened, problems)
    if opened.encryption.state is not EncryptionState.OK or opened.data is None:
        return Layers(form, opened.encryption, None, problems=problems)
    inner = take_off(read_parts(opened.data), keyring, signers, depth + 1)
    is_signed_inside = opened.signatures and inner.form == "plain"
    return replace(
        inner,
        form="pgp/mime encrypted and signed" if is_signed_inside else _joined(form, inner),
        encryption=_inner_verdict(opened.encryption, inner),
        signatures=opened.signatures + inner.signatures,
        sessions=(*_sessions(opened), *inner.sessions),
        problems=problems + inner.problems,
    )


def _joined(form: str, inner: Layers) -> str:
    return form if inner.form == "plain" else f"{form}, {inner.form}"


def _sessions(opened: Decrypted) -> tuple[str, ...]:
    return (opened.session_digest,) if opened.session_digest else ()


def _inner_verdict(outer: Encryption, inner: Layers) -> Encryption:
    """An encrypted message inside that could not be opened is what the agent must read about."""
    failed = inner.encryption.state in {EncryptionState.BROKEN, EncryptionState.UNDECRYPTABLE}
    return inner.encryption if failed else outer


def _take_off_signature(part: Part, keyring: Keyring, signers: Sequence[bytes], depth: int) -> Layers:
    is_whole = len(part.children) == 2 and part.children[1].type == "application/pgp-signature"  # noqa: PLR2004
    if not is_whole or not part.closed:
        problem = "The letter claims to be signed and is not built like it (RFC 3156)."
        bad = Signature(SignatureState.BAD, None, detail="malformed")
        payload = replace(part, type="multipart/mixed")
        return Layers("pgp/mime signed", _NOT_ENCRYPTED, payload, signatures=(bad,), problems=(problem,))
    signed, signature = part.children
    # RFC 3156, 5: the signature is over CRLF line ends, whatever the way has made of them.
    found = keyring.verify_detached(_LINE_END.sub(b"\r\n", signed.raw), signature.content(), signers)
    inner = take_off(signed, keyring, signers, depth + 1)
    return replace(inner, form=_joined("pgp/mime signed", inner), signatures=found + inner.signatures)


def _take_off_armor(
    part: Part, keyring: Keyring, signers: Sequence[bytes], kind: Literal["inline encrypted", "clearsigned"]
) -> Layers:
    content, charset = part.content(), part.params.get("charset", "")
    begin, end = _find_block(content, _ENCRYPTED if kind == "inline encrypted" else _CLEARSIGNED) or (0, 0)
    around = b"\n\n".join(piece for piece in (content[:begin].strip(), content[end:].strip()) if piece)
    block = content[begin:end] + b"\n"
    named = _ARMOR_CHARSET.match(block)
    charset = named[1].decode("ascii") if named else charset
    opened = keyring.decrypt(block, signers)
    if kind == "clearsigned":
        layers = _signed_text(opened, block, charset)
    elif opened.encryption.state is EncryptionState.NONE:
        layers = _not_as_said(kind, opened, ())
    else:
        layers = _decrypted_text(opened, kind, charset)
    return _mark_beside(layers, clean_text(around, charset)[0].strip())


def _decrypted_text(opened: Decrypted, form: str, charset: str) -> Layers:
    text = ""
    if opened.data is not None and opened.encryption.state is EncryptionState.OK:
        text = clean_text(opened.data, charset)[0]
    form += " and signed" if opened.signatures else ""
    sessions = _sessions(opened)
    return Layers(form, opened.encryption, None, text=text, signatures=opened.signatures, sessions=sessions)


def _signed_text(opened: Decrypted, block: bytes, charset: str) -> Layers:
    """The words under a signature; if it does not hold they stand outside, where anybody may have written."""
    unread = Signature(SignatureState.BAD, None, detail="The signature could not be read.")
    signatures = opened.signatures or (unread,)
    is_bad = opened.data is None or any(one.state is SignatureState.BAD for one in signatures)
    words = clean_text(block if opened.data is None else opened.data, charset)[0]
    return Layers(
        "clearsigned",
        _NOT_ENCRYPTED,
        None,
        text="" if is_bad else words,
        signatures=signatures,
        outside_text=words if is_bad else "",
    )


def _not_as_said(form: str, opened: Decrypted, problems: tuple[str, ...]) -> Layers:
    """What was announced as encrypted and is not: shown, but as something that anybody may have written."""
    words = "" if opened.data is None else clean_text(opened.data, "")[0]
    signatures = tuple(as_partial(one) for one in opened.signatures)
    problems = (*problems, _NOT_AS_SAID)
    return Layers(
        form, opened.encryption, None, text="", signatures=signatures, outside_text=words, problems=problems
    )


def _mark_beside(layers: Layers, beside: str) -> Layers:
    """Where words stand beside an armored block, its protection is told as that of a part."""
    if not beside:
        return layers
    is_open = layers.encryption.state is EncryptionState.OK
    return replace(
        layers,
        encryption=_partly(layers.encryption) if is_open else layers.encryption,
        signatures=tuple(as_partial(one) for one in layers.signatures),
        outside_text="\n\n".join(words for words in (beside, layers.outside_text) if words),
    )


def _find_block(content: bytes, marks: tuple[bytes, bytes]) -> tuple[int, int] | None:
    """Return the span of the first armored block that begins a line (RFC 9580, 6.2 and 7)."""
    begin = content.find(marks[0])
    while begin > 0 and content[begin - 1 : begin] != b"\n":
        begin = content.find(marks[0], begin + 1)
    end = content.find(marks[1], begin) if begin >= 0 else -1
    return (begin, end + len(marks[1])) if end >= 0 else None


def _take_off_below(part: Part, keyring: Keyring, signers: Sequence[bytes], depth: int) -> Layers:
    """Open the first protected part inside an unprotected letter, and say that it is only a part."""
    hole = next((child for child in part.walk() if child is not part and _protection(child)), None)
    problems: tuple[str, ...] = ()
    if part.type == "multipart/signed":
        problems = ("The letter has an S/MIME signature, which is not checked.",)
    if hole is None:
        return Layers("plain", _NOT_ENCRYPTED, part, problems=problems)
    inner = take_off(hole, keyring, signers, depth + 1)
    if _count_protected(part) > _count_protected(hole):
        problems += ("The letter has several encrypted or signed parts; only the first was opened.",)
    encryption = inner.encryption
    if encryption.state is EncryptionState.OK:
        encryption = _partly(encryption)
    return replace(
        inner,
        form=f"{inner.form}, in part",
        encryption=encryption,
        signatures=tuple(as_partial(signature) for signature in inner.signatures),
        outside=((part, hole), *inner.outside),
        problems=problems + inner.problems,
    )


def _count_protected(part: Part) -> int:
    return sum(1 for child in part.walk() if _protection(child))


def _partly(encryption: Encryption) -> Encryption:
    return Encryption(EncryptionState.PARTIAL, encryption.detail or "only a part of the letter was encrypted")


def as_partial(signature: Signature) -> Signature:
    """A good signature on a part of a letter is never told as a good signature."""
    is_good = signature.state in {SignatureState.GOOD, SignatureState.GOOD_OTHER_SENDER}
    state = SignatureState.PARTIAL if is_good else signature.state
    return replace(signature, state=state, covers="part")
