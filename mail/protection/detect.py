# SPDX-License-Identifier: AGPL-3.0-or-later
"""By what a part of a letter is protected, judged from its type, its name and its first bytes."""

import re
from typing import Literal

from mail.mime.parts import Part
from mail.openpgp.bare_data import begins_with_data, names_encrypted
from mail.openpgp.damaged_armor import with_marks
from mail.openpgp.packets import MESSAGE_BEGIN, SIGNED_BEGIN
from mail.protection.inline import Armored, armored_kind
from mail.protection.smime import SMime, smime_kind
from mail.text.html import html_to_text
from mail.text.transfer_encoding import decode_transfer

Kind = Literal["encrypted", "signed", "file"] | SMime | Armored

_ENCRYPTED_NAME = re.compile(r".\.(?:asc|gpg|pgp)\Z", re.IGNORECASE)
_ENCRYPTED_TYPES = frozenset({"application/pgp", "application/pgp-encrypted"})
_MARKS = (MESSAGE_BEGIN, SIGNED_BEGIN)
_SESSION_KEY_TAGS = frozenset({1, 3})
"""Packets that an encrypted message begins with (RFC 9580, 10.3)."""
_HEAD = 256
_EMPTY_PAGE = 4096
"""An HTML page without words is shorter than this."""


def protection(part: Part) -> Kind | None:
    """Say how a part is protected, itself and not the parts in it; None when it is not."""
    if part.type == "multipart/encrypted" or is_mixed_up(part) or _is_encrypted_piece(part):
        return "encrypted"
    if part.type == "multipart/signed":
        return "signed" if _is_signed(part) else None
    if part.children:
        return None
    return smime_kind(part) or armored_kind(part) or ("file" if _is_openpgp_file(part) else None)


def _is_encrypted_piece(part: Part) -> bool:
    """Tell a piece of a letter (RFC 2046, 5.2.2) that shows that the letter is encrypted."""
    return part.type == "message/partial" and (names_encrypted(part.body) or begins_with_data(part.body))


def _is_signed(part: Part) -> bool:
    """Tell signed mail of OpenPGP, also where it is not built like it; others sign in other ways."""
    is_said = "pgp" in part.params.get("protocol", "").lower()
    return is_said or any(child.type == "application/pgp-signature" for child in part.children)


def is_mixed_up(part: Part) -> bool:
    """Some Exchange servers turn multipart/encrypted into mixed, with an empty text in front."""
    if part.type != "multipart/mixed":
        return False
    *front, version, data = [None, None, *part.children]
    if version is None or data is None or version.type != "application/pgp-encrypted":
        return False
    texts = [leaf for child in front if child is not None for leaf in child.walk() if not leaf.children]
    return data.type == "application/octet-stream" and all(map(_is_empty, texts))


def _is_empty(part: Part) -> bool:
    content = part.content()
    if part.type == "text/html" and len(content) < _EMPTY_PAGE:
        return not html_to_text(content.decode("ascii", "replace")).strip()
    return part.type == "text/plain" and not content.strip()


def _is_openpgp_file(part: Part) -> bool:
    """Whether a file is an encrypted or a signed message: armored, or binary where name or type say so."""
    is_attached = part.is_attached or bool(part.name)
    if part.type.startswith("text/") and not is_attached:
        return False
    head = _head_of(part)
    is_said = part.type in _ENCRYPTED_TYPES or bool(_ENCRYPTED_NAME.search(part.name))
    is_armor = with_marks(head).lstrip().startswith(_MARKS) or begins_with_data(head)
    return is_armor or (is_said and _tag(head) in _SESSION_KEY_TAGS)


def _head_of(part: Part) -> bytes:
    coded = part.source[part.body_begin : min(part.end, part.body_begin + _HEAD)]
    return decode_transfer(coded, part.headers.token("content-transfer-encoding")).lstrip()


def _tag(head: bytes) -> int | None:
    first = head[0] if head else 0
    if not first & 0x80:
        return None
    return first & 0x3F if first & 0x40 else (first >> 2) & 0x0F
