# SPDX-License-Identifier: AGPL-3.0-or-later
"""Shows files that users sent, encrypted, in the thread of their ticket."""

import io
from collections.abc import Awaitable, Callable, Mapping

import imagesize

from bot.carriers.senders import Carrier, RoomSenders, guarded, paced
from bot.errors import Rejected
from bot.sending import contents, rendering
from bot.sending.sender import Sender
from desk.context import Workplace
from desk.letters.opened import Attachment
from desk.outbox.kinds import Kind
from desk.outbox.outcomes import Delivered, Later, OutboxItem, Outcome
from desk.tickets.received_files import SHOW_FILE, FileRequest, cannot_show, file_request_of

Open = Callable[[FileRequest], Awaitable[Attachment | Later | str]]
"""Takes a file out of its letter, or says why it cannot."""
PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""What clients show by themselves and no program hides in."""
TEXT_CHARS = 4_000
TEXT_LINES = 60
"""Of a text that is shown as text; longer ones go as a file."""


class FileShower:
    """The carrier of rows of the kind SHOW_FILE."""

    def __init__(self, place: Workplace, sender: Sender, senders: RoomSenders, take: Open) -> None:
        """Remember the parts; `take` opens a letter for a file in it."""
        self._place = place
        self._sender = sender
        self._senders = senders
        self._take = take

    def table(self) -> Mapping[Kind, Carrier]:
        """Return which kind of row is carried how."""
        return {SHOW_FILE: guarded(paced(self._carry))}

    async def _carry(self, parcel: OutboxItem) -> Outcome:
        found = await self._take(file_request_of(parcel.payload))
        if isinstance(found, Later):
            return found
        if isinstance(found, str):
            return await self._tell(parcel, found)
        try:
            content = await self._content(found)
        except Rejected as trouble:
            return await self._tell(parcel, str(trouble))
        return await self._senders.post(parcel, content)

    async def _tell(self, parcel: OutboxItem, why: str) -> Outcome:
        """Say in the thread why the file is not there."""
        async with self._place.units() as unit:
            row = await unit.outbox.get(parcel.id)
            if row is not None:
                await cannot_show(self._place.work(unit), row, why)
        return Delivered()

    async def _content(self, file: Attachment) -> contents.Json:
        text = _short_text(file)
        if text is not None:
            return contents.notice(rendering.log(f"{rendering.one_line(file.name)}:", text))
        is_picture = file.type in PICTURES and not file.looks_like
        stored = await self._sender.upload(file.name, _harmless(file, is_picture=is_picture), file.content)
        return contents.image(stored, _size_of(file.content)) if is_picture else contents.file(stored)


def _harmless(file: Attachment, *, is_picture: bool) -> str:
    """Return the media type that clients are told: none at which a client does more than to keep the file."""
    return file.type if is_picture or file.type == "text/plain" else "application/octet-stream"


def _short_text(file: Attachment) -> str | None:
    if file.type != "text/plain" or file.danger or len(file.content) > TEXT_CHARS * 4:
        return None
    try:
        text = file.content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    is_short = len(text) <= TEXT_CHARS and text.count("\n") <= TEXT_LINES
    return text if is_short and "\0" not in text else None


def _size_of(picture: bytes) -> tuple[int, int] | None:
    """Return width and height in pixels; None where the picture does not tell."""
    try:
        width, height = imagesize.get(io.BytesIO(picture))
    except Exception:  # noqa: BLE001  (a hostile picture may break any reader)
        return None
    return (int(width), int(height)) if width > 0 and height > 0 else None
