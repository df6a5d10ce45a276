# SPDX-License-Identifier: AGPL-3.0-or-later
"""Armored OpenPGP messages inside plain text parts (RFC 9580, 6.2 and 7)."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from desk.opened import EncryptionState, Signature, SignatureState
from mail.layers import NOT_ENCRYPTED, Layers, as_partial, not_as_said, partly, sessions_of
from mail.mime import clean_text
from mail.openpgp import Decrypted, Keyring
from mail.parts import Part

Armored = Literal["inline encrypted", "clearsigned"]
_MARKS: dict[Armored, tuple[bytes, bytes]] = {
    "inline encrypted": (b"-----BEGIN PGP MESSAGE-----", b"-----END PGP MESSAGE-----"),
    "clearsigned": (b"-----BEGIN PGP SIGNED MESSAGE-----", b"-----END PGP SIGNATURE-----"),
}
_CHARSET = re.compile(rb"(?im)\A[^\n]*\n(?:[A-Za-z]+:[^\n]*\n)*?Charset:[ \t]*([A-Za-z0-9_.:-]{1,40})")


def armored_kind(part: Part) -> Armored | None:
    """Say what armored message begins a line of a text part, if any."""
    if part.type != "text/plain" or part.headers.token("content-disposition") == "attachment":
        return None
    content = part.content()
    return next((kind for kind, marks in _MARKS.items() if _find_block(content, marks)), None)


def take_off_armor(part: Part, keyring: Keyring, signers: Sequence[bytes], kind: Armored) -> Layers:
    """Open the first armored message of a text part; words beside it stand outside."""
    content, charset = part.content(), part.params.get("charset", "")
    begin, end = _find_block(content, _MARKS[kind]) or (0, 0)
    around = b"\n\n".join(piece for piece in (content[:begin].strip(), content[end:].strip()) if piece)
    block = content[begin:end] + b"\n"
    named = _CHARSET.match(block)
    charset = named[1].decode("ascii") if named else charset
    opened = keyring.decrypt(block, signers)
    if kind == "clearsigned":
        layers = _signed_text(opened, block, charset)
    elif opened.encryption.state is EncryptionState.NONE:
        layers = not_as_said(kind, opened, ())
    else:
        layers = _decrypted_text(opened, kind, charset)
    return _mark_beside(layers, clean_text(around, charset)[0].strip())


def _decrypted_text(opened: Decrypted, form: str, charset: str) -> Layers:
    text = ""
    if opened.data is not None and opened.encryption.state is EncryptionState.OK:
        text = clean_text(opened.data, charset)[0]
    form += " and signed" if opened.signatures else ""
    sessions = sessions_of(opened)
    return Layers(form, opened.encryption, None, text=text, signatures=opened.signatures, sessions=sessions)


def _signed_text(opened: Decrypted, block: bytes, charset: str) -> Layers:
    """The words under a signature; if it does not hold they stand outside, where anybody may have written."""
    unread = Signature(SignatureState.BAD, None, detail="The signature could not be read.")
    signatures = opened.signatures or (unread,)
    is_bad = opened.data is None or any(one.state is SignatureState.BAD for one in signatures)
    words = clean_text(block if opened.data is None else opened.data, charset)[0]
    return Layers(
        "clearsigned",
        NOT_ENCRYPTED,
        None,
        text="" if is_bad else words,
        signatures=signatures,
        outside_text=words if is_bad else "",
    )


def _mark_beside(layers: Layers, beside: str) -> Layers:
    """Where words stand beside an armored block, its protection is told as that of a part."""
    if not beside:
        return layers
    is_open = layers.encryption.state is EncryptionState.OK
    return replace(
        layers,
        encryption=partly(layers.encryption) if is_open else layers.encryption,
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
