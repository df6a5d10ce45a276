# SPDX-License-Identifier: AGPL-3.0-or-later
"""S/MIME (RFC 8551): recognised and told; words are read, nothing is decrypted and no signature checked."""

from dataclasses import replace
from typing import Literal

from desk.letters.opened import Encryption, EncryptionState
from mail.mime.content import Content, as_attachment
from mail.mime.parts import Part, read_parts
from mail.openpgp.bare_data import names_encrypted
from mail.protection.cms import SIGNED_DATA, signed_words
from mail.protection.layers import NOT_ENCRYPTED, Layers
from mail.text.transfer_encoding import decode_transfer

SMime = Literal["s/mime encrypted", "s/mime signed"]

_TYPES = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_SEALED = tuple(
    map(bytes.fromhex, ("06092a864886f70d010703", "06092a864886f70d010706", "060b2a864886f70d0109100117"))
)
"""The object identifiers that encrypted data begins with (RFC 5652, 6.1 and 8; RFC 5083)."""
_SEQUENCE = b"\x30"
_HEAD = 24
"""Bytes in which the identifier of a whole message stands, and none of what it holds."""
_CODED_HEAD = 256
_ASK = "Ask the user to write with OpenPGP, to the desk's published key."
_SHUT = Encryption(
    EncryptionState.UNDECRYPTABLE, f"It is encrypted with S/MIME, which the desk does not read. {_ASK}"
)
_PACKED = f"The letter's words are packed into an S/MIME signature, and cannot be read. {_ASK}"
SIGNED_TEXT = "The letter has an S/MIME signature, which is not checked."


def is_signed_text(part: Part) -> bool:
    """Tell a text with an S/MIME signature beside it; it is read as if it had none."""
    said = part.params.get("protocol", "").lower()
    types = [child.type for child in part.children[1:]] if "pgp" not in said else []
    return part.type == "multipart/signed" and any("pkcs7" in one for one in (said, *types))


def smime_kind(part: Part) -> SMime | None:
    """Say which kind of S/MIME a part without parts is, if any; its first bytes count before its type."""
    is_said = part.type in _TYPES or part.name.lower().endswith(".p7m")
    head = _head_of(part) if is_said or part.type.startswith("application/") else b""
    if head.startswith(_SEQUENCE) and any(one in head for one in _SEALED):
        return "s/mime encrypted"
    is_signed = head.startswith(_SEQUENCE) and SIGNED_DATA in head
    if not is_said:
        return "s/mime signed" if is_signed and signed_words(part.content()) is not None else None
    says = part.params.get("smime-type", "").lower()
    if says == "certs-only":
        return None
    return "s/mime signed" if is_signed or says == "signed-data" else "s/mime encrypted"


def _head_of(part: Part) -> bytes:
    coded = part.source[part.body_begin : min(part.end, part.body_begin + _CODED_HEAD)]
    return decode_transfer(coded, part.headers.token("content-transfer-encoding"))[:_HEAD]


def tell_encrypted(part: Part) -> Layers:
    """Tell of an encrypted part that it cannot be opened, and keep it as a file."""
    return Layers("s/mime encrypted", _SHUT, outside=(_file(part),))


def signed_entity(part: Part) -> Part | None:
    """Return what is packed into a signed part; None when it cannot be read. Raises Unopenable."""
    packed = signed_words(part.content())
    return None if packed is None else read_parts(packed)


def tell_signed(part: Part, packed: Layers | None) -> Layers:
    """Tell a signed part by what is packed into it; the signature is not checked, so it protects nothing."""
    form = "s/mime signed"
    if packed is None:
        content = part.content()
        is_sealed = names_encrypted(content) or any(one in content for one in _SEALED)
        encryption = _SHUT if is_sealed else NOT_ENCRYPTED
        return Layers(form, encryption, outside=(_file(part),), problems=(_PACKED,))
    is_plain = packed.encryption.state is EncryptionState.NONE and not packed.signatures
    return replace(
        packed,
        form=form if packed.form == "plain" else f"{form}, {packed.form}",
        payload=None if is_plain else packed.payload,
        unproved=packed.payload or packed.unproved,
        outside=(*packed.outside, _file(part)),
        problems=(SIGNED_TEXT, *packed.problems),
    )


def _file(part: Part) -> Content:
    return Content(attachments=[as_attachment(part)])
