# SPDX-License-Identifier: AGPL-3.0-or-later
"""Files that came with a letter: harmless names, what they look like, which are dangerous. None is opened."""

import re

from desk.letters.opened import Attachment
from mail.files.dangerous import (
    ARCHIVE,
    DANGER_BY_EXTENSION,
    DANGER_BY_TYPE,
    HOLDS_MACROS,
    MAGIC,
    MAY_HOLD_MACROS,
    PGP,
    SAME,
    ZIPPED,
)
from mail.text.headers import safe_text_line

_LONGEST_NAME = 120
_KEPT_END = 30
"""Characters at the end of a long name that are kept: what kind of file it is stands there."""
_EXTENSION = re.compile(r"\.([A-Za-z0-9_-]{1,14})\Z")
_HEAD = 4096
_MARKUP = re.compile(
    rb"\s*(?:<\?xml[^>]{0,200}>\s*)?(?:<!--.{0,1000}?-->\s*){0,9}<(?:!doctype\s+)?(html|svg|script|head|body)\b",
    re.IGNORECASE | re.DOTALL,
)
_MACROS_INSIDE = b"vbaProject.bin"
"""The name of an Office document's macros, which stands in its directory unpacked."""


def safe_file_name(given: str) -> str:
    """Return a decoded file name without folders, control and bidi characters; at most 120 characters.

    Empty when nothing is left.
    """
    name = safe_text_line(given).replace("\\", "/").rpartition("/")[2].strip(" .\"'")
    if len(name) > _LONGEST_NAME:
        name = f"{name[: _LONGEST_NAME - _KEPT_END - 1].rstrip()}…{name[-_KEPT_END:].lstrip()}"
    return name


def as_file(name: str, type_: str, content: bytes, about: str = "") -> Attachment:
    """Describe a file: `name` as the sender gave it, decoded; `type_` as declared; `about` words of ours."""
    shown = safe_file_name(name)
    looks_like = look_at(content)
    return Attachment(
        name=shown or "unnamed",
        type=type_,
        size=len(content),
        content=content,
        looks_like="" if _is_as_declared(type_, looks_like) else looks_like,
        danger=_danger(shown, type_, looks_like, content),
        about=about,
    )


def look_at(content: bytes) -> str:
    """Return the media type that a file's first bytes show; "" when they show none that matters here."""
    head = content[:_HEAD]
    found = next((type_ for magic, type_ in MAGIC if head.startswith(magic)), "")
    if found == "application/zip" and _MACROS_INSIDE in content:
        return "application/vnd.ms-office.macroenabled"
    if found:
        return found
    if head[257:262] == b"ustar":
        return "application/x-tar"
    if content[0x8001:0x8006] == b"CD001":
        return "application/x-iso9660-image"
    markup = _MARKUP.match(head.removeprefix(b"\xef\xbb\xbf"))
    if markup is None:
        return ""
    return "image/svg+xml" if markup[1].lower() == b"svg" else "text/html"


def _is_as_declared(type_: str, looks_like: str) -> bool:
    if not looks_like or type_ == looks_like or type_ in SAME.get(looks_like, ()):
        return True
    if looks_like == "application/zip":
        return type_.startswith(ZIPPED)
    return looks_like == "application/pgp" and type_ in PGP


def _danger(name: str, type_: str, looks_like: str, content: bytes) -> str:
    """Say in words of ours why nobody should open it; "" when nothing speaks against it."""
    if _MACROS_INSIDE in content and looks_like.startswith("application/vnd.ms-office"):
        return HOLDS_MACROS
    extension = _EXTENSION.search(name)
    by_name = DANGER_BY_EXTENSION.get(extension[1].lower() if extension else "", "")
    by_type = MAY_HOLD_MACROS if "macroenabled" in type_ else DANGER_BY_TYPE.get(type_, "")
    by_look = DANGER_BY_TYPE.get(looks_like, "")
    if by_look == ARCHIVE and (type_.startswith(ZIPPED[:2]) or by_name):
        by_look = ""
    return by_look or by_name or by_type
