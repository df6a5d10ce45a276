# SPDX-License-Identifier: AGPL-3.0-or-later
"""The files of an answer: what they are called, how they are shown, and when they are forgotten."""

import re
import unicodedata

from desk.sizes import size_words
from desk.tickets.details import DraftDetails
from desk.world import Refusal
from storage.models import Message, OutgoingFile
from storage.unit import Unit

_LONGEST_NAME = 100
_LONGEST_EXTENSION = 12
# RFC 6838, 4.2; what holds mails or parts of its own would be opened as such, and is sent as mere bytes.
_MEDIA_TYPE = re.compile(r"(?!multipart/|message/)[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9.+-]{0,63}")
_BYTES = "application/octet-stream"


def fit_name(name: str) -> str:
    """Return a file name that no program can take for a path, an option or another name; never empty."""
    last = re.split(r"[/\\]", name)[-1]
    # Cc, Cf and their like: controls, and marks that turn letters around ("gpj.exe").
    seen = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in last)
    plain = " ".join(re.sub(r'[<>:"|?*]', "_", seen).split()).lstrip(".-").strip()
    stem, dot, extension = plain.rpartition(".")
    if len(plain) > _LONGEST_NAME and dot and len(extension) <= _LONGEST_EXTENSION:
        return f"{stem[: _LONGEST_NAME - len(extension) - 1]}.{extension}"
    return plain[:_LONGEST_NAME] or "file"


def fit_media_type(media_type: str) -> str:
    """Return a media type that may stand in a mail."""
    bare = media_type.partition(";")[0].strip().lower()
    return bare if _MEDIA_TYPE.fullmatch(bare) else _BYTES


def line_of(enclosure: OutgoingFile) -> str:
    """Return name, type and size of a file, or that it is not here yet."""
    if enclosure.size is None:
        return "a file that is still being fetched"
    return f"“{enclosure.name}” ({enclosure.media_type}, {size_words(enclosure.size)})"


async def list_on(unit: Unit, draft: Message) -> None:
    """Let an answer know its files, for its preview and for its hold."""
    files = await unit.enclosures.of(draft)
    fetching = sum(each.size is None for each in files)
    DraftDetails.change(draft, files=tuple(line_of(each) for each in files), fetching=fetching)


async def forget(unit: Unit, draft: Message) -> None:
    """Forget the files of an answer that has left or never will; what they were called stays with it."""
    await unit.enclosures.drop(*await unit.enclosures.of(draft))


async def refuse_incomplete(unit: Unit, draft: Message) -> None:
    """Raise Refusal when a file of an answer was forgotten after the answer was sent on its way."""
    if len(await unit.enclosures.of(draft)) < len(DraftDetails.load(draft).files):
        raise Refusal("Not sent: a file of this answer was taken away meanwhile. Write the answer again.")


def is_fetching(draft: Message) -> bool:
    """Tell whether an answer waits for a file that is not here yet."""
    return DraftDetails.load(draft).fetching > 0
