# SPDX-License-Identifier: AGPL-3.0-or-later
"""A plain Matrix client with encryption, as a person would use one: for the demo and the stories."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from aiohttp import ClientError
from nio import AsyncClient, Event, MegolmEvent, RoomSendResponse, SyncResponse
from nio.crypto.attachments import decrypt_attachment, encrypt_attachment

from bot.errors import MatrixError
from bot.events.events import relation
from bot.http.wire import request
from bot.identity.crosssigning import ensure_signed
from bot.identity.session import BotAccount, Credential, Session, open_session
from bot.sending import contents, rendering
from bot.sending.contents import StoredFile

POLL_MS = 3000
LOOK_AGAIN_SECONDS = 0.05
AWAY_SECONDS = 1.0
PATIENCE = 90.0
"""Seconds to wait for what should come: long, as a machine may be busy; it costs nothing when all is well."""


@dataclass(frozen=True)
class Seen:
    """An event as a client shows it."""

    event_id: str
    room_id: str
    sender: str
    body: str
    """For an edit, the new words."""
    thread: str | None
    replaces: str | None
    mentions: tuple[str, ...]
    encrypted: bool
    msgtype: str
    html: str
    content: dict[str, Any] = field(default_factory=dict, repr=False)
    """All that the event says."""


@dataclass(frozen=True)
class Pressed:
    """A reaction as a client shows it."""

    event_id: str
    sender: str
    target: str
    key: str


class Person:
    """One account with a signed device; joins every room it is invited to."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._client: AsyncClient = session.client
        self._task: asyncio.Task[None] | None = None
        self._invited: set[str] = set()
        self.seen: list[Seen] = []
        self.pressed: list[Pressed] = []
        self.unreadable: list[str] = []

    @classmethod
    async def log_in(cls, homeserver: str, user_id: str, password: str, folder: Path) -> Self:
        """Log in, sign the device and follow what happens. Raises MatrixError."""
        account = BotAccount(homeserver, user_id, folder, device_name="Demo client")
        session = await open_session(account, Credential(password=password))
        person = cls(session)
        await ensure_signed(session.client, folder, password)
        await person._look()
        person._task = asyncio.create_task(person._follow())
        return person

    @property
    def user_id(self) -> str:
        """The account's Matrix user id."""
        return self._session.user_id

    async def close(self) -> None:
        """Stop following and close."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._session.close()

    async def say(
        self, room_id: str, text: str, *, thread: str | None = None, reply_to: str | None = None
    ) -> str:
        """Say something, encrypted, in a thread or outside, as a reply or not; return the event id."""
        content = contents.text(rendering.plain(text))
        if thread:
            return await self._send(room_id, contents.in_thread(content, thread, reply_to=reply_to))
        return await self._send(room_id, contents.in_reply(content, reply_to) if reply_to else content)

    async def edit(self, room_id: str, event_id: str, text: str) -> str:
        """Replace the words of an event of one's own; return the edit's event id."""
        return await self._send(room_id, contents.edit(contents.text(rendering.plain(text)), event_id))

    async def _send(self, room_id: str, placed: contents.Json) -> str:
        answer = await self._client.room_send(
            room_id, "m.room.message", placed, ignore_unverified_devices=True
        )
        return _event_id(answer)

    async def share(
        self, room_id: str, name: str, media_type: str, data: bytes, *, thread: str | None = None
    ) -> str:
        """Put an encrypted file into a room, in a thread or outside; return the event id."""
        sealed, opening = encrypt_attachment(data)
        stored = await request(self._client, "POST", "/_matrix/media/v3/upload", sealed)
        content = contents.file(StoredFile(name, media_type, len(data), str(stored["content_uri"]), opening))
        return await self._send(room_id, contents.in_thread(content, thread) if thread else content)

    async def redact(self, room_id: str, event_id: str) -> None:
        """Remove an event from a room."""
        await self._client.room_redact(room_id, event_id)

    async def react(self, room_id: str, event_id: str, key: str) -> str:
        """React to an event; return the reaction's event id."""
        content = contents.reaction(event_id, key)
        answer = await self._client.room_send(room_id, "m.reaction", content, ignore_unverified_devices=True)
        return _event_id(answer)

    async def rooms(self) -> Sequence[str]:
        """Return the ids of the rooms this account is in."""
        return tuple(self._client.rooms)

    async def wait_for(self, wanted: Callable[[Seen], bool], *, seconds: float = PATIENCE) -> Seen:
        """Return the first event that fits, as soon as it is there. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while True:
                found = next((seen for seen in self.seen if wanted(seen)), None)
                if found is not None:
                    return found
                await asyncio.sleep(LOOK_AGAIN_SECONDS)

    async def wait_for_reaction(self, event_id: str, key: str, *, seconds: float = PATIENCE) -> Pressed:
        """Return the reaction to an event as soon as it is there. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while True:
                for pressed in self.pressed:
                    if (pressed.target, pressed.key) == (event_id, key):
                        return pressed
                await asyncio.sleep(LOOK_AGAIN_SECONDS)

    async def open_file(self, seen: Seen) -> bytes:
        """Fetch the file of an event and decrypt it (client-server API, "Sending encrypted attachments")."""
        file = seen.content["file"]
        stored = (await self._client.download(mxc=file["url"])).body
        opened: bytes = decrypt_attachment(stored, file["key"]["k"], file["hashes"]["sha256"], file["iv"])
        return opened

    async def wait_until_gone(self, room_id: str, *, seconds: float = PATIENCE) -> None:
        """Wait until this account is in a room no longer. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while room_id in self._client.rooms:  # noqa: ASYNC110 - nio has no event for it
                await asyncio.sleep(LOOK_AGAIN_SECONDS)

    async def _follow(self) -> None:
        while True:
            try:
                await self._look()
            except (ClientError, OSError):
                # The homeserver is away; what was said meanwhile comes with the next sync.
                await asyncio.sleep(AWAY_SECONDS)

    async def _look(self) -> None:
        """One sync, with what encryption needs after it."""
        client = self._client
        response = await client.sync(
            timeout=POLL_MS if client.next_batch else 0, full_state=not client.next_batch
        )
        if not isinstance(response, SyncResponse):
            await asyncio.sleep(AWAY_SECONDS)
            return
        await self._take_in(response)
        await self._upkeep()

    async def _take_in(self, response: SyncResponse) -> None:
        client = self._client
        self._invited.update(response.rooms.invite)
        for room_id in response.rooms.leave:
            client.rooms.pop(room_id, None)
        for room_id, room in response.rooms.join.items():
            for event in room.timeline.events:
                self._note(room_id, event)
        # Last, as a join may fail, and this batch does not come again.
        for room_id in tuple(self._invited):
            await client.join(room_id)
            self._invited.discard(room_id)

    async def _upkeep(self) -> None:
        client = self._client
        await client.send_to_device_messages()
        if client.should_upload_keys:
            await client.keys_upload()
        if client.should_query_keys:
            await client.keys_query()
        if client.should_claim_keys:
            await client.keys_claim(client.get_users_for_key_claiming())

    def _note(self, room_id: str, event: Event) -> None:
        if isinstance(event, MegolmEvent):
            self.unreadable.append(event.event_id)
        elif event.source.get("type") == "m.room.message":
            self.seen.append(_seen(room_id, event))
        elif event.source.get("type") == "m.reaction":
            related = relation(event.source.get("content", {}))
            target, key = str(related.get("event_id")), str(related.get("key"))
            self.pressed.append(Pressed(event.event_id, event.sender, target, key))


def _seen(room_id: str, event: Event) -> Seen:
    content: dict[str, Any] = event.source.get("content", {})
    related = relation(content)
    shown = content.get("m.new_content", content)
    kind, target = related.get("rel_type"), related.get("event_id")
    return Seen(
        event_id=event.event_id,
        room_id=room_id,
        sender=event.sender,
        body=str(shown.get("body", "")),
        thread=target if kind == "m.thread" else None,
        replaces=target if kind == "m.replace" else None,
        mentions=tuple(content.get("m.mentions", {}).get("user_ids", ())),
        encrypted=bool(event.decrypted),
        msgtype=str(shown.get("msgtype", "")),
        html=str(shown.get("formatted_body", "")),
        content=shown,
    )


def _event_id(answer: Any) -> str:
    if not isinstance(answer, RoomSendResponse):
        raise MatrixError("The homeserver did not take the message.")
    return str(answer.event_id)
