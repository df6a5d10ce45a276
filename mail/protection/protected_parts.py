# SPDX-License-Identifier: AGPL-3.0-or-later
"""The protected parts inside an unprotected letter, and one verdict on them together."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from desk.letters.opened import Encryption, EncryptionState, Signature, SignatureState
from mail.mime.content import Content, read_content
from mail.mime.parts import Part
from mail.protection.detect import protection
from mail.protection.layers import Layers, as_partial, partly
from mail.protection.single_files import SignedFile, signed_files

ProtectedPart = Part | SignedFile

_FAILED = (EncryptionState.BROKEN, EncryptionState.UNDECRYPTABLE)
_PROVES_NOTHING = frozenset({SignatureState.BAD, SignatureState.UNKNOWN_KEY, SignatureState.REVOKED_KEY})
_NOT_ALL = "Only parts of the letter were encrypted, or could be opened."
_FILES = (
    "Files that were not encrypted or signed came beside the protected part; anybody may have added them."
)
_SEVERAL = "The letter has several protected parts, each on its own: they need not come from one person."


def find_protected_parts(part: Part) -> Iterator[ProtectedPart]:
    """Yield the outermost protected parts below a part that is not protected itself."""
    pairs = {id(pair.file): pair for pair in signed_files(part)}
    signatures = {id(pair.signature) for pair in pairs.values()}
    for child in _candidates(part):
        if id(child) in signatures:
            continue
        if id(child) in pairs:
            yield pairs[id(child)]
        elif protection(child):
            yield child
        else:
            yield from find_protected_parts(child)


def _candidates(part: Part) -> Sequence[Part]:
    """Of two forms of one text, the HTML form of an armored message is its copy, or else stands outside."""
    if part.type != "multipart/alternative":
        return part.children
    plain = [child for child in part.children if child.type == "text/plain"]
    if any(map(protection, plain)):
        return [child for child in part.children if child.type != "text/html"]
    return [child for child in part.children if not plain or not _is_signed_page(child)]


def _is_signed_page(part: Part) -> bool:
    return part.type == "text/html" and protection(part) == "clearsigned"


def join(tree: Part, holes: Sequence[ProtectedPart], opened: Sequence[Layers], *, protected: bool) -> Layers:
    """Judge a tree by all the protected parts in it and by what stands beside them.

    `protected`: the tree itself was under a layer that is off already.
    """
    beside = read_content(tree, left_out=frozenset(_parts_of(holes)), hide_copies=protected)
    opened = _by_what_holds(opened)
    outside = (beside, *(content for one in opened for content in one.outside))
    is_all = not any(_has_words(content) for content in outside)
    several = len(holes) > 1
    signatures = tuple(signature for one in opened for signature in one.signatures)
    whole = is_all and (not several or _covers_all(opened))
    alone = opened[0].payload if is_all and not several else None
    return Layers(
        form=_form(opened, is_all=is_all),
        encryption=_together([one.encryption for one in opened], is_all=is_all),
        payload=tree if protected else alone,
        inside=tuple(content for one in opened for content in one.inside),
        outside=tuple(content for content in outside if _has_words(content) or content.key_parts),
        signatures=tuple(_told(one, whole=whole, several=several) for one in signatures),
        sessions=tuple(digest for one in opened for digest in one.sessions),
        problems=(
            *(problem for one in opened for problem in one.problems),
            *((_SEVERAL,) if several and not (signatures and whole) else ()),
            *((_FILES,) if (beside.attachments or beside.key_parts) and not protected else ()),
        ),
    )


def _by_what_holds(opened: Sequence[Layers]) -> Sequence[Layers]:
    """Put outside what anybody may have written: words under no signature, or one that proves nothing.

    A key that nobody knows is made in a second: beside what was encrypted its words stand outside, too.
    A letter in whose parts nothing could be checked keeps its words.
    """
    if all(one.encryption.state is EncryptionState.NONE and not one.signatures for one in opened):
        return opened
    is_encrypted = any(one.encryption.state is not EncryptionState.NONE for one in opened)
    nothing = _PROVES_NOTHING if is_encrypted else frozenset({SignatureState.BAD})
    return [
        one if _holds(one, nothing) else replace(one, inside=(), outside=(*one.inside, *one.outside))
        for one in opened
    ]


def _holds(layers: Layers, nothing: frozenset[SignatureState]) -> bool:
    states = {signature.state for signature in layers.signatures}
    return layers.encryption.state is not EncryptionState.NONE or bool(states and not states & nothing)


def _parts_of(holes: Sequence[ProtectedPart]) -> Iterator[Part]:
    for hole in holes:
        if isinstance(hole, Part):
            yield hole
        else:
            yield from (hole.file, hole.signature)


def _has_words(content: Content) -> bool:
    return bool(content.text.strip() or content.attachments)


def _form(opened: Sequence[Layers], *, is_all: bool) -> str:
    forms = " + ".join(dict.fromkeys(one.form for one in opened))
    if is_all:
        return forms
    return f"{forms}, in part"


def _together(found: Sequence[Encryption], *, is_all: bool) -> Encryption:
    states = {one.state for one in found}
    if states == {EncryptionState.NONE}:
        return found[0]
    failed = sorted((one for one in found if one.state in _FAILED), key=lambda one: _FAILED.index(one.state))
    if failed and EncryptionState.OK not in states and EncryptionState.PARTIAL not in states:
        return failed[0]
    if failed:
        return Encryption(EncryptionState.PARTIAL, f"Not all could be opened: {failed[0].detail}")
    if states == {EncryptionState.OK} and is_all:
        return found[0]
    return partly(next(one for one in found if one.state is not EncryptionState.NONE), _NOT_ALL)


def _covers_all(opened: Sequence[Layers]) -> bool:
    """Whether one and the same key signed each part, and each signature is good."""
    signers = [{(signature.state, signature.fingerprint) for signature in one.signatures} for one in opened]
    first = signers[0] if signers else set()
    is_one = len(first) == 1 and all(each == first for each in signers)
    return is_one and next(iter(first))[0] is SignatureState.GOOD


def _told(signature: Signature, *, whole: bool, several: bool) -> Signature:
    if not whole:
        return as_partial(signature)
    return replace(signature, covers="part") if several else signature
