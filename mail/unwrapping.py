# SPDX-License-Identifier: AGPL-3.0-or-later
"""Taking off the OpenPGP layers of a letter (RFC 3156).

Each encrypted part is decrypted on its own, and nothing is shown of one whose verdict is not `ok` (EFAIL).
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from desk.opened import Encryption, EncryptionState, Signature, SignatureState
from mail.armored import Armored, armored_kind, take_off_armor
from mail.layers import NOT_ENCRYPTED, Layers, as_partial, not_as_said, partly, sessions_of
from mail.openpgp import Keyring
from mail.parts import Part, read_parts

MOST_LAYERS = 4
_LINE_END = re.compile(rb"\r?\n")
_MALFORMED = "The letter claims to be encrypted mail and is not built like it (RFC 3156); it was not opened."


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
            "plain", NOT_ENCRYPTED, part, problems=("The letter has too many layers of protection.",)
        )
    if kind == "signed":
        return _take_off_signature(part, keyring, signers, depth)
    if kind == "encrypted":
        return _take_off_encryption(part, keyring, signers, depth)
    return take_off_armor(part, keyring, signers, kind)


def _protection(part: Part) -> Literal["encrypted", "signed"] | Armored | None:
    if part.type == "multipart/encrypted" or _is_mixed_up(part):
        return "encrypted"
    if part.type == "multipart/signed":
        is_smime = "pkcs7" in part.params.get("protocol", "").lower()
        return None if is_smime else "signed"
    return armored_kind(part)


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
        return not_as_said(form, opened, problems)
    if opened.encryption.state is not EncryptionState.OK or opened.data is None:
        return Layers(form, opened.encryption, None, problems=problems)
    inner = take_off(read_parts(opened.data), keyring, signers, depth + 1)
    is_signed_inside = opened.signatures and inner.form == "plain"
    return replace(
        inner,
        form="pgp/mime encrypted and signed" if is_signed_inside else _joined(form, inner),
        encryption=_inner_verdict(opened.encryption, inner),
        signatures=opened.signatures + inner.signatures,
        sessions=(*sessions_of(opened), *inner.sessions),
        problems=problems + inner.problems,
    )


def _joined(form: str, inner: Layers) -> str:
    return form if inner.form == "plain" else f"{form}, {inner.form}"


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
        return Layers("pgp/mime signed", NOT_ENCRYPTED, payload, signatures=(bad,), problems=(problem,))
    signed, signature = part.children
    # RFC 3156, 5: the signature is over CRLF line ends, whatever the way has made of them.
    found = keyring.verify_detached(_LINE_END.sub(b"\r\n", signed.raw), signature.content(), signers)
    inner = take_off(signed, keyring, signers, depth + 1)
    return replace(inner, form=_joined("pgp/mime signed", inner), signatures=found + inner.signatures)


def _take_off_below(part: Part, keyring: Keyring, signers: Sequence[bytes], depth: int) -> Layers:
    """Open the first protected part inside an unprotected letter, and say that it is only a part."""
    hole = next((child for child in part.walk() if child is not part and _protection(child)), None)
    problems: tuple[str, ...] = ()
    if part.type == "multipart/signed":
        problems = ("The letter has an S/MIME signature, which is not checked.",)
    if hole is None:
        return Layers("plain", NOT_ENCRYPTED, part, problems=problems)
    inner = take_off(hole, keyring, signers, depth + 1)
    if _count_protected(part) > _count_protected(hole):
        problems += ("The letter has several encrypted or signed parts; only the first was opened.",)
    encryption = inner.encryption
    if encryption.state is EncryptionState.OK:
        encryption = partly(encryption)
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
