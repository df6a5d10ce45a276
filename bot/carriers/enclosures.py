# SPDX-License-Identifier: AGPL-3.0-or-later
"""Fetches files that agents want to leave with an answer: out of the ticket's thread, and no others."""

import asyncio
import datetime as dt
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import structlog
from nio import AsyncClient
from nio.crypto.attachments import decrypt_attachment

from bot.carriers.senders import Carrier, guarded
from bot.errors import Rejected, TryLater
from bot.events.decrypt import Closed, open_event
from bot.events.events import FILES, is_event, is_heeded, read_event
from bot.http.wire import Json, TooLarge, fetch, path, request
from desk.context import Workplace
from desk.outbox.kinds import Kind
from desk.outbox.outcomes import Delivered, OutboxItem, Outcome
from desk.replies.attaching import FETCH, AttachRequest, Fetched, choose, fetched, wish_of
from desk.sizes import size_words

log = structlog.get_logger()

PAGE = 50
PAGES = 5
"""How far back in a thread the newest file is looked for: 250 events before the newest one."""
DOWNLOAD_PATIENCE = 300.0
KEY_PATIENCE = dt.timedelta(minutes=1)
"""For how long the key of a message may still be on its way."""
_MXC = re.compile(r"mxc://([A-Za-z0-9.:\[\]-]{1,255})/([A-Za-z0-9_-]{1,255})")


class _Unfit(Exception):
    """This file cannot leave; the text is a sentence for the agent."""


class EnclosureFetcher:
    """The carrier of rows of the kind FETCH."""

    def __init__(self, place: Workplace, client: AsyncClient, *, only_verified: bool) -> None:
        """`only_verified` refuses files of devices that their owner's identity has not signed."""
        self._place = place
        self._client = client
        self._only_verified = only_verified

    def table(self) -> Mapping[Kind, Carrier]:
        """Return which kind of row is carried how."""
        return {FETCH: guarded(self._carry)}

    async def _carry(self, parcel: OutboxItem) -> Outcome:
        number, wish = wish_of(parcel.payload)
        async with self._place.units() as unit:
            room = await unit.rooms.get(parcel.room or 0)
            room_id = room.room_id if room is not None else None
            enclosure = await unit.enclosures.get(number)
        # What was chosen at the first try stays chosen: an older file must not take its place.
        wish = replace(wish, file=enclosure.event_id if enclosure is not None else wish.file)
        file: Fetched | str
        try:
            file = await self._fetch(room_id or "", number, wish, parcel.age)
        except _Unfit as why:
            file = str(why)
        except TooLarge:
            most = size_words(self._place.config.replies.files_size)
            file = f"it is larger than {most}, which is the most for one answer."
        async with self._place.units() as unit:
            await fetched(self._place.work(unit), parcel.id, number, file)
        return Delivered()

    async def _fetch(self, room_id: str, number: int, wish: AttachRequest, age: dt.timedelta) -> Fetched:
        source = await (self._named(room_id, wish.file) if wish.file else self._newest(room_id, wish, age))
        content = self._content(room_id, source, wish, age)
        # From here on its removal is heeded.
        async with self._place.units() as unit:
            if not await choose(unit, number, source["event_id"]):
                raise _Unfit("nobody wants it any more.")
        declared = _part(content, "info").get("size")
        if isinstance(declared, int) and declared > self._place.config.replies.files_size:
            raise TooLarge
        sealed = await self._download(_part(content, "file").get("url"))
        plain = await asyncio.to_thread(_decrypted, sealed, _part(content, "file"))
        # It may have been removed before that was heeded.
        self._content(room_id, await self._named(room_id, source["event_id"]), wish, age)
        name = content.get("filename") or content.get("body")
        media_type = _part(content, "info").get("mimetype")
        return Fetched(
            event_id=source["event_id"],
            name=name if isinstance(name, str) else "",
            media_type=media_type if isinstance(media_type, str) else "",
            content=plain,
        )

    async def _named(self, room_id: str, event_id: str) -> Json:
        try:
            source = await request(self._client, "GET", path("rooms", room_id, "event", event_id))
        except Rejected as trouble:
            raise _Unfit("the message that you answered is not in this room (any more).") from trouble
        if not is_event(source):
            raise TryLater("The homeserver's answer is no event.")
        return source

    async def _newest(self, room_id: str, wish: AttachRequest, age: dt.timedelta) -> Json:
        """Return the agent's newest file before the command; nothing is remembered of what lies between."""
        is_before = False
        async for source in self._thread(room_id, wish.thread):
            if source["event_id"] == wish.command:
                is_before = True
            elif is_before and source["sender"] == wish.agent:
                found = open_event(self._client, room_id, source)
                if isinstance(found, Closed):
                    # It may be the file that is meant: an older one must not leave in its place.
                    raise self._unreadable(found, age, "a message of yours before it cannot be read here")
                if found.decrypted and str(found.source["content"].get("msgtype")) in FILES:
                    return source
        raise _Unfit(
            "there is no file of yours before it in this thread. Say `!attach` as a reply to the file."
        )

    async def _thread(self, room_id: str, root: str) -> AsyncIterator[Json]:
        """The events of a thread, newest first (client-server API, "Relationships API")."""
        query = {"dir": "b", "limit": str(PAGE)}
        for _ in range(PAGES):
            where = path("rooms", room_id, "relations", root, "m.thread", query=query, version="v1")
            page = await request(self._client, "GET", where)
            for source in page.get("chunk", []):
                if is_event(source):
                    yield source
            if not page.get("next_batch"):
                return
            query["from"] = str(page["next_batch"])

    def _content(self, room_id: str, source: Json, wish: AttachRequest, age: dt.timedelta) -> Json:
        """Return the content of an event that is an agent's encrypted file in this thread."""
        if source["type"] == "m.room.encrypted" and "ciphertext" not in source["content"]:
            raise _Unfit("that message was removed from the room.")
        found = open_event(self._client, room_id, source)
        if isinstance(found, Closed):
            raise self._unreadable(found, age, "that message cannot be read here")
        heard = read_event(found.source, room_id, decrypted=found.decrypted, verified=found.verified)
        content: Json = found.source["content"]
        is_file = heard is not None and heard.is_file and not heard.edits and bool(_part(content, "file"))
        if heard is None or not is_file or not is_heeded(found.source, self._client.user_id):
            raise _Unfit("that message is no encrypted file.")
        if not heard.decrypted:
            raise _Unfit("that file was not sent encrypted.")
        if heard.sender not in self._place.config.agents:
            raise _Unfit("that file is not from an agent of this desk.")
        if self._only_verified and not heard.verified:
            raise _Unfit("the device that sent that file is not verified (cross-signed).")
        if heard.thread_root != wish.thread:
            raise _Unfit("that file is not in this ticket's thread. Put it here, and attach it then.")
        return content

    def _unreadable(self, found: Closed, age: dt.timedelta, what: str) -> Exception:
        if found.key_missing and age < KEY_PATIENCE:
            return TryLater("The key of a message has not come yet.", 2.0)
        return _Unfit(
            f"{what}: its key has not reached me. Send the file again, and attach it by a reply to it."
        )

    async def _download(self, url: object) -> bytes:
        """Return a file as it is stored; older homeservers know only the second way, for everybody."""
        place = _MXC.fullmatch(url) if isinstance(url, str) else None
        if place is None:
            raise _Unfit("where that file is stored cannot be read.")
        where = "/".join(quote(part, safe="") for part in place.groups())
        largest = self._place.config.replies.files_size
        for begin in ("/_matrix/client/v1/media/download", "/_matrix/media/v3/download"):
            try:
                asked = f"{begin}/{where}?allow_redirect=false"
                return await fetch(self._client, asked, largest=largest, patience=DOWNLOAD_PATIENCE)
            except Rejected as trouble:
                log.info("enclosure.not-there", code=trouble.code)
        raise _Unfit("the homeserver does not have that file (any more).")


def _decrypted(sealed: bytes, opening: Json) -> bytes:
    """Open a file (client-server API, "Sending encrypted attachments"); its hash is checked first."""
    try:
        key, digest = _part(opening, "key")["k"], _part(opening, "hashes")["sha256"]
        plain: bytes = decrypt_attachment(sealed, key, digest, opening["iv"])
    except Exception as error:
        # Any shape of key can come from outside.
        log.info("enclosure.unreadable", error=type(error).__name__)
        raise _Unfit("that file cannot be decrypted: it is damaged, or its key is. Send it again.") from error
    return plain


def _part(content: Json, name: str) -> dict[str, Any]:
    found = content.get(name)
    return found if isinstance(found, dict) else {}
