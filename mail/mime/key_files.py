# SPDX-License-Identifier: AGPL-3.0-or-later
"""Files of public keys, and the armored key blocks in a text (RFC 9580, 6.2)."""

import re
from collections.abc import Iterator

from mail.mime.parts import Part

_ANY_BEGIN = b"-----BEGIN PGP P"
_ARMOR_BEGIN = b"-----BEGIN PGP PUBLIC KEY BLOCK-----"
_ARMOR_BEGINS = (_ARMOR_BEGIN, b"-----BEGIN PGP PRIVATE KEY BLOCK-----")
"""A private key is never taken, and the agent hears of it."""
_BLOCK_BEGIN = re.compile(rb"^[ \t]{0,9}-----BEGIN PGP ((?:PUBLIC|PRIVATE) KEY BLOCK-----)", re.MULTILINE)
_KEY_NAME = re.compile(r"\.(?:asc|gpg|pgp|key|pub)\Z", re.IGNORECASE)
_KEY_BYTES = 1_000_000
"""No file of keys is as long as this."""
_BINARY_KEY = (b"\x98", b"\x99", b"\x9a", b"\xc6")
_BINARY_SECRET = (b"\x94", b"\x95", b"\x96", b"\xc5")
"""How binary public and secret keys begin: a packet's tag, in the old form with each width of length."""


def is_key_part(part: Part) -> bool:
    """Tell whether a part is a file of keys, by its type, or by its name and what stands in it."""
    if part.type == "application/pgp-keys":
        return True
    if not part.name or len(part.body) > _KEY_BYTES:
        return False
    content = part.content()
    if part.name.lower().endswith(".asc") and any(begin in content for begin in _ARMOR_BEGINS):
        return True
    is_binary = bool(_KEY_NAME.search(part.name)) and content[:1] in _BINARY_KEY + _BINARY_SECRET
    return is_binary or content.lstrip().startswith(_ARMOR_BEGINS)


def holds_only_keys(content: bytes) -> bool:
    """Tell whether a file of keys holds nothing else: words around the blocks would be lost with it."""
    if content[:1] in _BINARY_KEY + _BINARY_SECRET:
        return True
    ends = [0, *(at for span in _spans(content) for at in span), len(content)]
    gaps = (content[begin:end] for begin, end in zip(ends[::2], ends[1::2], strict=True))
    return not any(gap.strip() for gap in gaps)


def key_file_blocks(content: bytes) -> list[bytes]:
    """Return the armored key blocks of a file, or the whole file when it is a binary one."""
    is_binary = content[:1] in _BINARY_KEY + _BINARY_SECRET
    return [content] if is_binary else list(key_blocks(content))


def key_blocks(content: bytes) -> Iterator[bytes]:
    """Yield the armored key blocks in a text, in order."""
    return (content[begin:end] + b"\n" for begin, end in _spans(content))


def _spans(content: bytes) -> Iterator[tuple[int, int]]:
    # Most texts hold none, which is seen ten times faster without an expression.
    end = 0 if _ANY_BEGIN in content else len(content)
    while begin := _BLOCK_BEGIN.search(content, end):
        mark = b"-----END PGP " + begin[1]
        end = content.find(mark, begin.end()) + len(mark)
        if end < begin.end():
            return
        yield begin.start(), end
