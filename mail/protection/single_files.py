# SPDX-License-Identifier: AGPL-3.0-or-later
"""Files encrypted or signed each on its own, as mail programs did before PGP/MIME ("partitioned")."""

import mimetypes
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from desk.letters.opened import EncryptionState, Signature, SignatureState
from mail.files.attachments import as_file
from mail.mime.content import Content, as_attachment
from mail.mime.parts import Part
from mail.openpgp.bare_data import with_marked_data
from mail.openpgp.damaged_armor import with_marks
from mail.openpgp.keyring import Decrypted
from mail.openpgp.packets import MESSAGE_BEGIN, SIGNED_BEGIN
from mail.openpgp.status import UNREAD
from mail.protection.layers import LayerOpener, Layers, as_partial, not_as_said, not_opened, sessions_of

_SIGNATURE_NAME = re.compile(r"\.(?:asc|pgp|sig|sign)\Z", re.IGNORECASE)
_CIPHER_NAME = re.compile(r"\.(?:asc|gpg|pgp)\Z", re.IGNORECASE)
_MIME_ENTITY = re.compile(
    rb"(?:[A-Za-z-]{1,60}:[^\n]{0,998}\n(?:[ \t][^\n]{0,998}\n){0,20}){0,20}?Content-Type:",
    re.IGNORECASE,
)
_LINE_END = re.compile(rb"\r?\n")
_FORM = "encrypted attachment"
_SIGNED_FORM = "signed attachment"


@dataclass(frozen=True, eq=False)
class SignedFile:
    """A file with its detached signature, which stands in the same multipart."""

    file: Part
    signature: Part


def signed_files(part: Part) -> Iterator[SignedFile]:
    """Yield the files among a part's children whose signature is there too, by their names."""
    files = {child.name: child for child in part.children if child.name and not child.children}
    for name, child in files.items():
        found = _SIGNATURE_NAME.search(name)
        signed = files.get(name[: found.start()]) if found else None
        if signed is not None:
            yield SignedFile(signed, child)


def check_file(pair: SignedFile, opener: LayerOpener) -> Layers:
    """Check a file's signature, over its bytes or, as the way changes line ends, over its lines."""
    file = Content(attachments=[as_attachment(pair.file)])
    signatures = _check(pair, opener)
    if not signatures:
        return Layers(_SIGNED_FORM, outside=(file,), problems=not_opened("").problems)
    return _by_verdict(Layers(_SIGNED_FORM, inside=(file,), signatures=signatures))


def _by_verdict(layers: Layers) -> Layers:
    """What stands under a signature that does not hold stands outside, where anybody may have put it."""
    is_bad = any(one.state is SignatureState.BAD for one in layers.signatures)
    return replace(layers, inside=(), outside=layers.inside) if is_bad else layers


def _check(pair: SignedFile, opener: LayerOpener) -> tuple[Signature, ...]:
    content, signature = pair.file.content(), pair.signature.content()
    lines = _LINE_END.sub(b"\n", content)
    forms = (
        [content, lines, lines.replace(b"\n", b"\r\n")] if pair.file.type.startswith("text/") else [content]
    )
    found: tuple[Signature, ...] = ()
    for form in dict.fromkeys(forms):
        found = opener.verify(form, signature)
        if not any(one.state is SignatureState.BAD for one in found):
            break
    return found


def open_file(part: Part, opener: LayerOpener) -> tuple[Layers, bytes | None]:
    """Decrypt a file; the bytes are a whole MIME entity that was attached as one file, still to be read."""
    content = _with_marks(part.content())
    opened = opener.decrypt(content)
    if content.lstrip().startswith(SIGNED_BEGIN):
        return _signed_text(part, opened), None
    if opened is None:
        return not_opened(_FORM), None
    if opened.encryption.state is EncryptionState.NONE:
        return _signed_or_open(part, opened), None
    layers = Layers(_FORM, opened.encryption, signatures=opened.signatures, sessions=sessions_of(opened))
    if opened.encryption.state is not EncryptionState.OK or opened.data is None:
        return replace(layers, outside=(Content(attachments=[as_attachment(part)]),)), None
    if _MIME_ENTITY.match(opened.data):
        return layers, opened.data
    return _with_file(layers, part, opened), None


def _with_marks(content: bytes) -> bytes:
    """Give armor its marks back where they were changed."""
    marked = with_marks(content)
    has_marks = MESSAGE_BEGIN in marked or SIGNED_BEGIN in marked
    return marked if has_marks else with_marked_data(marked)


def _signed_or_open(part: Part, opened: Decrypted) -> Layers:
    """A message with a signature and without encryption (RFC 9580, 10.3) is a signed file."""
    if not opened.signatures:
        return not_as_said(_FORM, opened)
    return _by_verdict(_with_file(Layers(_SIGNED_FORM, signatures=opened.signatures), part, opened))


def _signed_text(part: Part, opened: Decrypted | None) -> Layers:
    """A clearsigned file keeps its marks: what a signature in it is worth is never that of the letter."""
    file = Content(attachments=[as_attachment(part)])
    if opened is None:
        return Layers(_SIGNED_FORM, outside=(file,), problems=not_opened("").problems)
    signatures = tuple(as_partial(one) for one in opened.signatures or (UNREAD,))
    return _by_verdict(Layers(_SIGNED_FORM, inside=(file,), signatures=signatures))


def _with_file(layers: Layers, part: Part, opened: Decrypted) -> Layers:
    data = opened.data or b""
    name = _CIPHER_NAME.sub("", part.name) or "unnamed"
    type_ = mimetypes.guess_type(name)[0] or "application/octet-stream"
    file = Content(attachments=[as_file(name, type_, data)])
    return replace(layers, inside=(file,))
