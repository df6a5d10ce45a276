# SPDX-License-Identifier: AGPL-3.0-or-later
"""S/MIME (RFC 8551): recognised and told; words are read, nothing is decrypted and no signature checked."""

from dataclasses import replace
from typing import Literal

from desk.opened import Encryption, EncryptionState
from mail.cms import SIGNED_DATA, signed_words
from mail.layers import NOT_ENCRYPTED, Layers
from mail.mime import Content, as_attachment
from mail.parts import Part, read_parts

SMime = Literal["s/mime encrypted", "s/mime signed"]

_TYPES = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_HEAD = 64
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
    """Say which kind of S/MIME a part without parts is, if any, by its type or its first bytes."""
    if part.type not in _TYPES and not part.name.lower().endswith(".p7m"):
        return None
    said = part.params.get("smime-type", "").lower()
    if said == "certs-only":
        return None
    is_signed = said == "signed-data" or (not said and SIGNED_DATA in part.content()[:_HEAD])
    return "s/mime signed" if is_signed else "s/mime encrypted"


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
        return Layers(form, NOT_ENCRYPTED, outside=(_file(part),), problems=(_PACKED,))
    is_plain = packed.encryption.state is EncryptionState.NONE and not packed.signatures
    return replace(
        packed,
        form=form if packed.form == "plain" else f"{form}, {packed.form}",
        payload=None if is_plain else packed.payload,
        outside=(*packed.outside, _file(part)),
        problems=(SIGNED_TEXT, *packed.problems),
    )


def _file(part: Part) -> Content:
    return Content(attachments=[as_attachment(part)])
