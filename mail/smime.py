# SPDX-License-Identifier: AGPL-3.0-or-later
"""S/MIME (RFC 8551): recognised and told; words are read, nothing is decrypted and no signature checked."""

from typing import Literal

from desk.opened import Encryption, EncryptionState
from mail.cms import SIGNED_DATA, signed_words
from mail.layers import NOT_ENCRYPTED, Layers
from mail.mime import Content, as_attachment, read_content
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


def tell(part: Part) -> Layers:
    """Tell what such a part is, and keep it as a file; words that are only signed are read.

    Raises Unopenable when these break a limit.
    """
    file = Content(attachments=[as_attachment(part)])
    if smime_kind(part) == "s/mime signed":
        packed = signed_words(part.content())
        words = () if packed is None else (read_content(read_parts(packed)),)
        problem = _PACKED if packed is None else SIGNED_TEXT
        return Layers("s/mime signed", NOT_ENCRYPTED, inside=words, outside=(file,), problems=(problem,))
    return Layers("s/mime encrypted", _SHUT, outside=(file,))
