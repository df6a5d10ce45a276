# SPDX-License-Identifier: AGPL-3.0-or-later
"""Taking off the OpenPGP layers of a letter (RFC 3156).

Each encrypted part is decrypted on its own, and nothing is shown of one whose verdict is not `ok` (EFAIL).
"""

import re
from collections.abc import Callable
from dataclasses import replace

from desk.letters.opened import Encryption, EncryptionState, Signature, SignatureState
from mail.mime.content import GUESSED_PARTS, read_content
from mail.mime.parts import Part, read_parts, read_payload
from mail.protection.detect import Kind, protection
from mail.protection.inline import take_off_armor
from mail.protection.layers import (
    MOST_LAYERS,
    NOT_ENCRYPTED,
    LayerOpener,
    Layers,
    not_as_said,
    not_opened,
    sessions_of,
    within,
)
from mail.protection.protected_headers import unwrap_message
from mail.protection.protected_parts import ProtectedPart, find_protected_parts, join
from mail.protection.single_files import SignedFile, check_file, open_file
from mail.protection.smime import SIGNED_TEXT, is_signed_text, signed_entity, tell_encrypted, tell_signed

_LINE_END = re.compile(rb"\r?\n")
_MALFORMED = "The letter claims to be encrypted mail and is not built like it (RFC 3156); it was not opened."
_REPAIRED = "A mail server on the way has damaged the encrypted letter's form; it was repaired."
_NOT_SIGNED = "The letter claims to be signed and is not built like it (RFC 3156)."
_GOOD = frozenset({SignatureState.GOOD, SignatureState.GOOD_OTHER_SENDER})
_ENCRYPTED_PARTS = ["application/pgp-encrypted", "application/octet-stream"]


def take_off(part: Part, opener: LayerOpener, depth: int = 0) -> Layers:
    """Take off all layers of a letter or of a decrypted payload; `depth` is how many are off already.

    Raises Unopenable when a decrypted payload breaks a limit.
    """
    wrapper, is_guessed = part, part.is_guessed
    while (kind := protection(part)) is None and len(part.children) == 1 and not part.before + part.behind:
        part = part.children[0]
        is_guessed |= part.is_guessed
    if kind is None:
        return _take_off_below(wrapper, opener, depth)
    if depth >= MOST_LAYERS:
        return not_opened(kind, too_deep=True)
    layers = _TAKE_OFF[kind](part, opener, depth)
    return replace(layers, problems=(GUESSED_PARTS, *layers.problems)) if is_guessed else layers


def _take_off_encryption(part: Part, opener: LayerOpener, depth: int) -> Layers:
    form = "pgp/mime encrypted"
    is_mixed_up = part.type != "multipart/encrypted"
    is_built = is_mixed_up or [child.type for child in part.children] == _ENCRYPTED_PARTS
    is_built = is_built and len(part.children) >= len(_ENCRYPTED_PARTS)
    if not is_built or part.before or part.behind or b"version: 1" not in part.children[-2].content().lower():
        shut = read_content(replace(part, type="multipart/mixed"))
        broken = Encryption(EncryptionState.BROKEN, "malformed")
        return Layers(form, broken, outside=(shut,), problems=(_MALFORMED,))
    problems = (_REPAIRED,) if is_mixed_up else ()
    opened = opener.decrypt(part.children[-1].content())
    if opened is None:
        return not_opened(form)
    if opened.encryption.state is EncryptionState.NONE:
        return not_as_said(form, opened, problems)
    layers = Layers(
        form, opened.encryption, signatures=opened.signatures, sessions=sessions_of(opened), problems=problems
    )
    if opened.encryption.state is not EncryptionState.OK or opened.data is None:
        return layers
    return within(layers, take_off(read_payload(opened.data), opener, depth + 1))


def _take_off_file(part: Part, opener: LayerOpener, depth: int) -> Layers:
    layers, entity = open_file(part, opener)
    return layers if entity is None else within(layers, take_off(read_parts(entity), opener, depth + 1))


def _take_off_signature(part: Part, opener: LayerOpener, depth: int) -> Layers:
    form = "pgp/mime signed"
    is_whole = len(part.children) == 2 and part.children[1].type == "application/pgp-signature"  # noqa: PLR2004
    if not is_whole or part.before or part.behind:
        bad = Signature(SignatureState.BAD, None, detail="malformed")
        inner = _take_off_below(replace(part, type="multipart/mixed"), opener, depth + 1)
        inner = _without_claims(inner, part, (bad,), opener)
        return replace(
            inner, form=form, signatures=(bad, *inner.signatures), problems=(_NOT_SIGNED, *inner.problems)
        )
    signed, signature = part.children
    # RFC 3156, 5: the signature is over CRLF line ends, whatever the way has made of them.
    lines = _LINE_END.sub(b"\r\n", signed.raw)
    found = opener.verify(lines, signature.content())
    if not found:
        return Layers(form, outside=(read_content(signed),), problems=not_opened("").problems)
    inner = _without_claims(take_off(signed, opener, depth + 1), signed, found, opener)
    form = form if inner.form == "plain" else f"{form}, {inner.form}"
    return replace(inner, form=form, signatures=found + inner.signatures)


def _without_claims(
    layers: Layers, signed: Part, signatures: tuple[Signature, ...], opener: LayerOpener
) -> Layers:
    """Header fields under a signature that proves nothing are not protected, whatever is encrypted below.

    What was decrypted is protected by that, whatever the signature in it is worth.
    """
    is_good = all(one.state in _GOOD for one in signatures)
    is_within = signed.source is not opener.letter.source
    is_below = (
        layers.encryption.state is not EncryptionState.NONE
        and layers.payload is not None
        and layers.payload.source is not signed.source
    )
    if is_good or is_within or is_below:
        return layers
    return replace(layers, payload=None, unproved=layers.payload)


def _take_off_below(part: Part, opener: LayerOpener, depth: int) -> Layers:
    """Open the protected parts inside an unprotected letter or payload, and say that they are only parts."""
    holes = list(find_protected_parts(part))
    if holes:
        opened = [_take_off_hole(hole, opener, depth) for hole in holes]
        layers = join(part, holes, opened, protected=depth > 0)
    else:
        payload = unwrap_message(part, opener.letter.headers) if 0 < depth < MOST_LAYERS else part
        if payload is not part:
            return _take_off_wrapped(payload, opener, depth)
        content = read_content(part, hide_copies=depth > 0)
        layers = Layers("plain", NOT_ENCRYPTED, part, inside=(content,))
    if not any(is_signed_text(child) for child in part.walk()):
        return layers
    form = "s/mime signed" if layers.form == "plain" else layers.form
    return replace(layers, form=form, problems=(*layers.problems, SIGNED_TEXT))


def _take_off_wrapped(message: Part, opener: LayerOpener, depth: int) -> Layers:
    """A message that was wrapped to protect its header fields may have layers of its own."""
    layers = take_off(message, opener, depth + 1)
    return layers if layers.encryption.state is not EncryptionState.NONE else replace(layers, payload=message)


def _take_off_hole(hole: ProtectedPart, opener: LayerOpener, depth: int) -> Layers:
    if isinstance(hole, SignedFile):
        return check_file(hole, opener)
    return take_off(hole, opener, depth)


def _take_off_armor(part: Part, opener: LayerOpener, _: int) -> Layers:
    return take_off_armor(part, opener)


def _tell_smime(part: Part, _: LayerOpener, __: int) -> Layers:
    return tell_encrypted(part)


def _take_off_smime_signature(part: Part, opener: LayerOpener, depth: int) -> Layers:
    packed = signed_entity(part)
    return tell_signed(part, None if packed is None else take_off(packed, opener, depth + 1))


_TAKE_OFF: dict[Kind, Callable[[Part, LayerOpener, int], Layers]] = {
    "encrypted": _take_off_encryption,
    "signed": _take_off_signature,
    "file": _take_off_file,
    "inline encrypted": _take_off_armor,
    "clearsigned": _take_off_armor,
    "s/mime encrypted": _tell_smime,
    "s/mime signed": _take_off_smime_signature,
}
