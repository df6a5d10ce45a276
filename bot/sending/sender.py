# SPDX-License-Identifier: AGPL-3.0-or-later
"""Send events into encrypted rooms: always encrypted, to trusted devices only, once per transaction id."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from nio import (
    AsyncClient,
    JoinedMembersResponse,
    MatrixRoom,
    OlmUnverifiedDeviceError,
    ShareGroupSessionResponse,
)
from nio.crypto.attachments import encrypt_attachment

from bot.errors import Rejected, TryLater
from bot.events.decrypt import Clear, open_event
from bot.http.wire import Json, path, request
from bot.identity.device_keys import claim_keys, send_to_devices, withhold_key
from bot.identity.keystore import as_on_disk
from bot.identity.trust import Trust
from bot.sending import contents
from bot.sending.contents import MARKER, StoredFile

log = structlog.get_logger()

SYNC_SOON = 1.0
UPLOAD_PATIENCE = 300.0
PAGE = 100

UNENCRYPTED = "The room is not encrypted, so the bot says nothing in it: turn encryption on in its settings."
NOT_YET = "The room is new to the bot; it waits for the next sync."
TOO_LONG = "The message is too long for one event."


Readers = Callable[[str], Awaitable[frozenset[str]]]
"""Who may read what is said in a room, by its id."""


class Sender:
    """Everything the bot says goes through here; one event at a time in each room, in order."""

    def __init__(self, client: AsyncClient, trust: Trust, readers: Readers) -> None:
        """No member of a room gets its key whom `readers` does not name."""
        self._client = client
        self._trust = trust
        self._readers = readers
        self._turns: dict[str, asyncio.Lock] = {}

    async def send_event(
        self,
        room_id: str,
        content: Json,
        txn_id: str,
        *,
        kind: str = "m.room.message",
        look_first: bool = False,
    ) -> str:
        """Encrypt and send; return the event id, the same one for the same `txn_id`.

        With `look_first` an event that an earlier try may have made is looked for: homeservers forget
        transaction ids after about a day. Raises TryLater, Rejected or SessionGone.
        """
        marked = {**content, MARKER: txn_id}
        if not contents.fits(marked):
            raise Rejected(TOO_LONG, "M_TOO_LARGE")
        async with self._turn(room_id):
            if look_first and (found := await self.find_by_marker(room_id, txn_id)):
                return found
            room = await self._encrypted_room(room_id)
            with as_on_disk(self._client):
                await self._prepare(room)
                cipher_kind, cipher = self._client.encrypt(room_id, kind, marked)
            return await self._put(room_id, cipher_kind, cipher, txn_id)

    async def react(self, room_id: str, event_id: str, key: str, txn_id: str) -> str | None:
        """React to an event, in clear as all reactions are; return the reaction's event id.

        None where the same reaction stood there before, which the homeserver takes once only.
        """
        async with self._turn(room_id):
            try:
                return await self._put(room_id, "m.reaction", contents.reaction(event_id, key), txn_id)
            except Rejected as error:
                if error.code != "M_DUPLICATE_ANNOTATION":
                    raise
                return None

    async def redact(self, room_id: str, event_id: str, txn_id: str, *, reason: str = "") -> str:
        """Redact an event; return the redaction's event id."""
        where = path("rooms", room_id, "redact", event_id, txn_id)
        answer = await request(self._client, "PUT", where, {"reason": reason} if reason else {})
        return _event_id(answer)

    async def upload(self, name: str, mimetype: str, data: bytes) -> StoredFile:
        """Encrypt a file and store it on the homeserver, which learns its size only."""
        sealed, opening = await asyncio.to_thread(encrypt_attachment, data)
        answer = await request(
            self._client, "POST", "/_matrix/media/v3/upload", sealed, patience=UPLOAD_PATIENCE
        )
        url = answer.get("content_uri")
        if not isinstance(url, str):
            raise TryLater("The homeserver did not say where it put the file.")
        return StoredFile(name, mimetype, len(data), url, opening)

    async def find_by_marker(self, room_id: str, ref: str, *, pages: int = 10) -> str | None:
        """The id of the event we sent with this transaction id, among the last `pages` x 100 of the room."""
        query = {"dir": "b", "limit": str(PAGE)}
        for _ in range(pages):
            page = await request(self._client, "GET", path("rooms", room_id, "messages", query=query))
            for source in page.get("chunk", []):
                if source.get("sender") == self._client.user_id and self._carries(room_id, source, ref):
                    return str(source["event_id"])
            if not page.get("chunk") or not page.get("end"):
                break
            query["from"] = page["end"]
        return None

    def _carries(self, room_id: str, source: Json, ref: str) -> bool:
        if source.get("type") != "m.room.encrypted" or "ciphertext" not in source.get("content", {}):
            return False
        found = open_event(self._client, room_id, source)
        return isinstance(found, Clear) and found.source.get("content", {}).get(MARKER) == ref

    def _turn(self, room_id: str) -> asyncio.Lock:
        return self._turns.setdefault(room_id, asyncio.Lock())

    async def _put(self, room_id: str, kind: str, content: Json, txn_id: str) -> str:
        return _event_id(
            await request(self._client, "PUT", path("rooms", room_id, "send", kind, txn_id), content)
        )

    async def _encrypted_room(self, room_id: str) -> MatrixRoom:
        """nio's room, if the bot is in it and it is encrypted; a room once encrypted stays so for nio."""
        room = self._client.rooms.get(room_id)
        if room is not None and room.encrypted:
            return room
        try:
            await request(self._client, "GET", path("rooms", room_id, "state", "m.room.encryption", ""))
        except Rejected as error:
            if error.code == "M_NOT_FOUND":
                raise Rejected(UNENCRYPTED, "M_NOT_FOUND") from error
            raise
        raise TryLater(NOT_YET, SYNC_SOON)

    async def _prepare(self, room: MatrixRoom) -> None:
        """Know members and devices, and give the room's key to those that may have it."""
        if not room.members_synced:
            await self._learn_members(room)
        if self._client.should_query_keys:
            await self._trust.refresh()
        readers = await self._readers(room.room_id)
        self._forget_key_of_others(room.room_id, readers)
        if not self._client.olm.should_share_group_session(room.room_id):
            return
        users = sorted(readers.intersection(room.users))
        try:
            await self._share(room, users)
        except OlmUnverifiedDeviceError:
            # A device that nio learnt of without us: judge its owner, then once more.
            await self._trust.refresh(users)
            await self._share(room, users)

    def _forget_key_of_others(self, room_id: str, readers: frozenset[str]) -> None:
        """Use a key no longer that somebody has who may not read any more."""
        session = self._client.olm.outbound_group_sessions.get(room_id)
        if session is not None and any(user not in readers for user, _ in session.users_shared_with):
            del self._client.olm.outbound_group_sessions[room_id]

    async def _learn_members(self, room: MatrixRoom) -> None:
        """Take in who is in the room, and who is invited: they are to read what is said from now on."""
        where = path("rooms", room.room_id, "members", query={"not_membership": "leave"})
        shown = await request(self._client, "GET", where)
        memberships = {
            event["state_key"]: event.get("content", {}).get("membership")
            for event in shown.get("chunk", ())
            if isinstance(event.get("state_key"), str)
        }
        for user_id, membership in memberships.items():
            if membership == "invite":
                room.add_member(user_id, None, None, invited=True)
        joined: Json = {user: {} for user, membership in memberships.items() if membership == "join"}
        answer = JoinedMembersResponse.from_dict({"joined": joined}, room.room_id)
        await self._client.receive_response(answer)

    async def _share(self, room: MatrixRoom, users: list[str]) -> None:
        """Send the room's key, batch by batch; it counts as shared only when every batch was taken.

        nio's own way marks it as shared also when requests failed, and then the room reads nothing.
        """
        olm = self._client.olm
        await claim_keys(self._client, self._entrusted(olm.get_missing_sessions(users)))
        for receivers, messages in olm.share_group_session_parallel(room.room_id, users):
            await send_to_devices(self._client, "m.room.encrypted", messages)
            await self._client.receive_response(ShareGroupSessionResponse(room.room_id, receivers))
        session = olm.outbound_group_sessions[room.room_id]
        session.shared = True
        await withhold_key(self._client, room.room_id, session.id, self._left_out(users))

    def _left_out(self, users: list[str]) -> dict[str, list[str]]:
        olm, devices = self._client.olm, self._client.device_store
        return {
            user: [one.id for one in devices.active_user_devices(user) if olm.is_device_blacklisted(one)]
            for user in users
        }

    def _entrusted(self, missing: dict[str, list[str]]) -> dict[str, list[str]]:
        devices = self._client.device_store
        return {
            user: [
                device
                for device in wanted
                if not self._client.olm.is_device_blacklisted(devices[user][device])
            ]
            for user, wanted in missing.items()
        }


def _event_id(answer: Json) -> str:
    found = answer.get("event_id")
    if not isinstance(found, str):
        raise TryLater("The homeserver did not name the event it made.")
    return found
