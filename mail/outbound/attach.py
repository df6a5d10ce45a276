# SPDX-License-Identifier: AGPL-3.0-or-later
"""Files in outgoing mail: one part each, in base64, with names in any script (RFC 2231)."""

import base64
import re
from dataclasses import dataclass, field
from urllib.parse import quote

from desk.replies.files import fit_media_type

_SIMPLE_NAME = re.compile(r"(?! )[A-Za-z0-9 ._()+-]{1,60}(?<! )")
_LINE = 57
"""Bytes that make a line of 76 characters (RFC 2045, 6.8)."""
_PIECE = 50
"""Characters of a name in one line, percent signs included."""


@dataclass(frozen=True)
class EnclosedFile:
    """A file that goes along."""

    name: str = field(repr=False)
    media_type: str
    content: bytes = field(repr=False)


def file_part(file: EnclosedFile) -> bytes:
    """Return a file as a MIME part, from its headers on, with CRLF and in ASCII only.

    The name stands in Content-Disposition alone: in Content-Type it is obsolete (RFC 2183, 2.3), and programs
    that read it there expect other encodings. Raises ValueError for what is no media type.
    """
    if fit_media_type(file.media_type) != file.media_type:
        raise ValueError("no media type for a file")
    head = (
        f"Content-Type: {file.media_type}\r\n"
        "Content-Transfer-Encoding: base64\r\n"
        f"Content-Disposition: attachment;{_file_name(file.name)}\r\n\r\n"
    )
    lines = (base64.b64encode(file.content[at : at + _LINE]) for at in range(0, len(file.content), _LINE))
    return head.encode("ascii") + b"".join(line + b"\r\n" for line in lines)


def _file_name(name: str) -> str:
    """Return the parameter; a long name, or one in another script, in numbered pieces (RFC 2231, 3 and 4)."""
    if _SIMPLE_NAME.fullmatch(name):
        return f'\r\n filename="{name}"'
    coded = quote(name.encode("utf-8", "replace"), safe="")
    pieces = re.findall(rf"(?:%[0-9A-F]{{2}}|[^%]){{1,{_PIECE // 3}}}", coded)
    if len(pieces) == 1:
        return f"\r\n filename*=utf-8''{coded}"
    numbered = (
        f"\r\n filename*{at}*={'' if at else 'utf-8' + 2 * chr(39)}{piece}" for at, piece in enumerate(pieces)
    )
    return ";".join(numbered)
