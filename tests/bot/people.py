# SPDX-License-Identifier: AGPL-3.0-or-later
"""Those who take part in the tests of the Matrix edge: the bot, and a second client that is plain nio."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nio import AsyncClient, AsyncClientConfig, MegolmEvent, SyncResponse

from bot.events.events import Batch, Undecryptable
from bot.http.pause import Pause
from bot.http.wire import Json, exchange, path, request
from bot.identity import signing
from bot.identity.crosssigning import SEEDS, Identity, ensure_signed
from bot.identity.session import BotAccount, Credential, Session, open_session
from bot.identity.trust import Judgement, PinnedIdentity, Trust, TrustPolicy
from bot.rooms.rooms import Rooms
from bot.sending.sender import Sender
from bot.sync import paging
from bot.sync.syncing import Syncer, SyncPosition
from commands.event import RoomEvent

PASSWORD = "test-only"
EPOCH = dt.datetime.fromtimestamp(0, dt.UTC)


@dataclass
class Journal:
    """Stands for the database: what was kept, by event id, with the last token."""

    token: str | None = None
    heard: dict[str, RoomEvent] = field(default_factory=dict)
    undecryptable: dict[str, Undecryptable] = field(default_factory=dict)
    batches: list[Batch] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)
    """Raised, one at a time, instead of keeping a batch."""
    knows_own_words: bool = True
    """False: what the bot has said so far was said by a bot whose database is lost."""
    oldest: dt.datetime = EPOCH
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def keep(self, batch: Batch) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.batches.append(batch)
        self.token = batch.token
        for event in batch.heard:
            self.heard.setdefault(event.event_id, event)
        for found in batch.undecryptable:
            self.undecryptable.setdefault(found.event_id, found)
        async with self.news:
            self.news.notify_all()

    async def recall(self, event_ids: Sequence[str]) -> paging.Known:
        heard = frozenset(event_ids) & {*self.heard, *self.undecryptable}
        return paging.Known(heard, frozenset(event_ids) if self.knows_own_words else frozenset())

    async def hears(self, bodies: list[str]) -> None:
        """Wait until these have been heard and nothing else."""
        async with self.news:
            await self.news.wait_for(lambda: self.bodies == bodies)

    @property
    def bodies(self) -> list[str]:
        return [event.body for event in self.heard.values()]


@dataclass
class Bot:
    """All parts of the edge, wired as the process wires them."""

    session: Session
    trust: Trust
    sender: Sender
    rooms: Rooms
    syncer: Syncer
    journal: Journal
    identity: Identity
    pins: dict[str, str]
    reports: list[Judgement]
    slept: list[float]

    @property
    def client(self) -> AsyncClient:
        return self.session.client

    async def syncing_stumbles(self) -> None:
        """Wait until a sync has failed."""
        while not self.slept:  # noqa: ASYNC110  (its own sleep is what is waited for)
            await asyncio.sleep(0.01)

    async def meet(self, room_id: str) -> None:
        """Sync until nio knows the room."""
        for _ in range(20):
            await self.syncer.step()
            if room_id in self.client.rooms:
                return
        raise AssertionError("the room never came")


@dataclass
class Memory:
    """What outlives a bot's process."""

    account: BotAccount
    journal: Journal = field(default_factory=Journal)
    pins: dict[str, str] = field(default_factory=dict)
    policy: TrustPolicy = TrustPolicy.SIGNED
    strangers: set[str] = field(default_factory=set)
    """Members who may read nothing."""


@contextlib.asynccontextmanager
async def running(memory: Memory) -> AsyncIterator[Bot]:
    """A bot's process, from start to stop."""
    session = await open_session(memory.account, Credential(password=PASSWORD))
    reports: list[Judgement] = []
    slept: list[float] = []

    async def keep_pins(fresh: tuple[PinnedIdentity, ...]) -> None:
        memory.pins.update({pin.user_id: pin.master_key for pin in fresh})

    async def readers(room_id: str) -> frozenset[str]:
        return frozenset(session.client.rooms[room_id].users) - memory.strangers

    async def report(judgement: Judgement) -> None:
        reports.append(judgement)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await asyncio.sleep(0.01)

    try:
        identity = await ensure_signed(session.client, memory.account.folder, PASSWORD)
        trust = Trust(session.client, memory.pins, policy=memory.policy, keep=keep_pins, report=report)
        journal = memory.journal
        waiting = tuple(journal.undecryptable.values())
        pause = Pause(jitter=lambda: 0.0, sleep=sleep)
        syncer = Syncer(
            session.client,
            trust,
            journal.keep,
            since=SyncPosition(paging.Backfill(journal.recall, journal.oldest), journal.token, waiting),
            pause=pause,
            long_poll=0.5,
        )
        sender = Sender(session.client, trust, readers)
        rooms = Rooms(session.client)
        yield Bot(session, trust, sender, rooms, syncer, journal, identity, memory.pins, reports, slept)
    finally:
        await session.close()


class Peer:
    """A person with a plain nio client that knows nothing of our code but how to sign its device."""

    def __init__(self, url: str, user_id: str, folder: Path) -> None:
        config = AsyncClientConfig(store_sync_tokens=False, encryption_enabled=True)
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.client = AsyncClient(url, user_id, store_path=str(folder), config=config)
        self.events: dict[str, Any] = {}

    async def begin(self, *, signed: bool = True) -> None:
        await self.client.login(PASSWORD)
        await (self.begin_signed() if signed else self.look())

    async def begin_signed(self) -> None:
        """Sign the device after all, with the seeds in the folder."""
        await ensure_signed(self.client, self.folder, PASSWORD)
        await self.look()

    async def look(self) -> None:
        """One sync, with all that encryption needs."""
        client = self.client
        response = await client.sync(timeout=200, full_state=not client.next_batch)
        assert isinstance(response, SyncResponse), response
        for room in response.rooms.join.values():
            for event in room.timeline.events:
                self.events[event.event_id] = event
        await client.send_to_device_messages()
        if client.should_upload_keys:
            await client.keys_upload()
        if client.should_query_keys:
            await client.keys_query()

    async def see(self, event_id: str) -> Any:
        """The event, as soon as it is there."""
        for _ in range(20):
            if event_id in self.events:
                return self.events[event_id]
            await self.look()
        raise AssertionError("the event never came")

    async def join(self, room_id: str) -> None:
        await self.client.join(room_id)
        for _ in range(20):
            await self.look()
            room = self.client.rooms.get(room_id)
            if room is not None and room.encrypted:
                return
        raise AssertionError("the room never came")

    async def say(self, room_id: str, text: str, **more: Any) -> str:
        """Say something, encrypted for all devices there are."""
        await self.look()
        content = {"msgtype": "m.text", "body": text, **more}
        response = await self.client.room_send(
            room_id, "m.room.message", content, ignore_unverified_devices=True
        )
        return str(response.event_id)

    def could_read(self, event_id: str) -> bool:
        return not isinstance(self.events[event_id], MegolmEvent)

    async def end(self) -> None:
        await self.client.close()
        if self.client.store:
            self.client.store.database.close()


async def reset_identity(client: AsyncClient, folder: Path) -> None:
    """Give the person a new identity and sign the device by it, as after a lost recovery key."""
    seeds = folder / SEEDS
    seeds.unlink()
    master, signer = (f"new {role}".encode().ljust(32, b".") for role in ("master", "signer"))

    def part(usage: str, seed: bytes) -> Json:
        key = signing.public_key(seed)
        return {"user_id": client.user_id, "usage": [usage], "keys": {f"ed25519:{key}": key}}

    keys: Json = {
        "master_key": part("master", master),
        "self_signing_key": signing.signed(part("self_signing", signer), client.user_id, master),
    }
    where = path("keys", "device_signing", "upload")
    asked = await exchange(client, "POST", where, keys)
    assert asked.status == 401
    keys["auth"] = {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": client.user_id},
        "password": PASSWORD,
        "session": asked.body["session"],
    }
    await request(client, "POST", where, keys)
    shown = await request(client, "POST", path("keys", "query"), {"device_keys": {client.user_id: []}})
    device = shown["device_keys"][client.user_id][client.device_id]
    device.pop("unsigned", None)
    signed = signing.signed(device, client.user_id, signer)
    body = {client.user_id: {client.device_id: signed}}
    assert not (await request(client, "POST", path("keys", "signatures", "upload"), body)).get("failures")
