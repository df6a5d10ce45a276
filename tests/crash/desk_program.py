# SPDX-License-Identifier: AGPL-3.0-or-later
"""A desk to be killed: all of `helproom run` but encryption in Matrix, forked from a process that waits.

Two wrong modes show that the test would notice: "early-250" answers before it writes, "fresh-ids" takes a new
transaction id for each try.
"""

import asyncio
import ctypes
import datetime as dt
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from nio import AsyncClient

from bot.contents import StoredFile
from bot.errors import MatrixError
from bot.heard import Batch, Heard, read_event
from bot.journal import SYNC_TOKEN, Journal
from bot.senders import RoomSenders
from bot.sending import Sender
from bot.wire import Json, path, request
from bot.worker import Worker
from desk import replies
from desk.delivery import Delivery, Outcome, Parcel
from desk.delivery import Sender as Carrier
from desk.house import House, Queue
from desk.world import World
from helproom.keeping import keeper
from helproom.world import real_world
from mail.addresses import queues_by_address
from mail.lmtp import Arrival, Keep, LmtpDoor
from mail.openpgp import Keyring, Workshop
from mail.outgoing import MailSender
from mail.submission import SubmissionSettings
from mail.worker import LetterWorker
from storage.sealing import Vault
from storage.unit import Units, open_engine

BOT, ANA = "@bot:fake.test", "@ana:fake.test"
ROOM, OPERATORS = "!en:fake.test", "!ops:fake.test"
ADDRESS, PASSPHRASE = "support@tails.net", "test-only-0123456789abcdef"
MASTER_KEY = b"k" * 32
HASTE = 60
"""So many seconds pass in the desk while one passes outside: pauses of minutes are over soon."""
HOLD_CHECK_SECONDS = 0.02
PR_SET_PTRACER = 0x59616D61
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Plan:
    """Where a desk lives and whom it talks to."""

    folder: str
    gnupg: str
    fingerprint: str
    homeserver: str
    token: str
    lmtp: int
    smtp: int
    began: float
    """Seconds since 1970, the same for all lives of one desk."""
    wrong: str = ""
    door_only: bool = False
    """Letters are kept and left alone, so that all writing is theirs."""


def house_of(fingerprint: str) -> House:
    """Return the one queue and its agent; answers are held for no time."""
    queue = Queue("en", "en", ADDRESS, "Help desk", fingerprint)
    return House((queue,), frozenset({ANA}), hold=dt.timedelta(0))


def hasty_world(began: float) -> World:
    """Return a world whose clock runs fast."""
    real = real_world()
    start = dt.datetime.fromtimestamp(began, dt.UTC)
    return World(lambda: start + (real.now() - start) * HASTE, real.token)


class ClearSender:
    """Puts events into rooms as they are: encryption has its own tests and no part in what is done once."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def send_event(self, room_id: str, content: Json, txn_id: str, *, look_first: bool = False) -> str:
        return await self._put(room_id, "m.room.message", content, txn_id)

    async def react(self, room_id: str, event_id: str, key: str, txn_id: str) -> str:
        relation = {"rel_type": "m.annotation", "event_id": event_id, "key": key}
        return await self._put(room_id, "m.reaction", {"m.relates_to": relation}, txn_id)

    async def upload(self, name: str, mimetype: str, data: bytes) -> StoredFile:
        answer = await request(self._client, "POST", "/_matrix/media/v3/upload", data)
        return StoredFile(name, mimetype, len(data), str(answer["content_uri"]), {})

    async def _put(self, room_id: str, kind: str, content: Json, txn_id: str) -> str:
        answer = await request(self._client, "PUT", path("rooms", room_id, "send", kind, txn_id), content)
        return str(answer["event_id"])


async def serve(plan: Plan) -> None:
    """Run the desk until it is killed."""
    units = Units(open_engine(f"sqlite:///{plan.folder}/desk.db"), Vault(MASTER_KEY))
    world = hasty_world(plan.began)
    keep = keeper(units, world, "lmtp")
    queue_of = queues_by_address({ADDRESS: "en"})
    door = LmtpDoor(queue_of, _hasty(keep) if plan.wrong == "early-250" else keep, port=plan.lmtp)
    await door.start()
    if plan.door_only:
        await asyncio.Event().wait()
    await _work(plan, units, world)


async def _work(plan: Plan, units: Units, world: World) -> None:
    house = house_of(plan.fingerprint)
    keyring, workshop = Keyring(Path(plan.gnupg), passphrase=PASSPHRASE), Workshop()
    client = AsyncClient(plan.homeserver, BOT)
    client.access_token = plan.token
    rooms = RoomSenders(units, world, cast(Sender, ClearSender(client)))
    submission = SubmissionSettings("127.0.0.1", plan.smtp, "loopback-plain")
    mail = MailSender(units, world, house, keyring, workshop, submission)
    carriers: Mapping[str, Carrier] = {**rooms.table(), replies.MAIL: mail}
    if plan.wrong == "fresh-ids":
        carriers = {kind: _forgetful(carry, world) for kind, carry in carriers.items()}
    async with asyncio.TaskGroup() as together:
        for work in (
            Delivery(units, world, carriers).run(poll=0.2),
            LetterWorker(units, world, house, keyring, workshop, parallel=2).run(),
            Worker(units, world, house).run(),
            _listen(client, units, Journal(units, world, own_id=BOT)),
            _end_holds(units, world),
        ):
            together.create_task(work)


def _forgetful(carry: Carrier, world: World) -> Carrier:
    async def attempt(parcel: Parcel) -> Outcome:
        return await carry(replace(parcel, ref=world.token()))

    return attempt


def _hasty(keep: Keep) -> Keep:
    tasks: set[asyncio.Task[None]] = set()

    async def promise(arrival: Arrival) -> None:
        async def later() -> None:
            await asyncio.sleep(0.01)
            await keep(arrival)

        tasks.add(asyncio.create_task(later()))

    return promise


async def _listen(client: AsyncClient, units: Units, journal: Journal) -> None:
    """Follow the rooms, as bot/syncing.py does: the journal keeps a batch together with its token."""
    async with units() as unit:
        token = await unit.facts.get(SYNC_TOKEN)
    while True:
        query = {"timeout": "10000", **({"since": token} if token else {})}
        try:
            answer = await request(client, "GET", path("sync", query=query))
        except MatrixError:
            await asyncio.sleep(0.05)
            continue
        token = str(answer["next_batch"])
        await journal.keep(Batch(token=token, heard=_heard(answer)))


def _heard(answer: Json) -> tuple[Heard, ...]:
    found = [
        read_event(event, room_id, decrypted=True, verified=True)
        for room_id, room in answer["rooms"]["join"].items()
        for event in room["timeline"]["events"]
        if event["sender"] != BOT
    ]
    return tuple(heard for heard in found if heard is not None)


async def _end_holds(units: Units, world: World) -> None:
    while True:
        async with units() as unit:
            due = await unit.messages.due_replies(world.now())
        for message_id in due:
            async with units() as unit:
                await replies.end_hold(unit, world, message_id)
        await asyncio.sleep(HOLD_CHECK_SECONDS)


def live(plan: Plan) -> None:
    """In the forked process: wait until the tracer is there, then serve."""
    folder = Path(plan.folder)
    output = os.open(folder / "output", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_PTRACER, ctypes.c_ulong(-1))
    # No desk outlives the test, however that ends.
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    while not (folder / "go").exists():
        time.sleep(0.002)
    asyncio.run(serve(plan))


def wait_for_plans(lines: Any, fork: Callable[[], int] = os.fork) -> None:
    """For each plan on a line make a process and name its id; one that has ended is not waited for."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in lines:
        child = fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                live(Plan(**json.loads(line)))
            finally:
                os._exit(1)
        print(child, flush=True)  # noqa: T201 - the answer to the plan


if __name__ == "__main__":
    print("ready", flush=True)  # noqa: T201 - what is waited for
    wait_for_plans(iter(sys.stdin.readline, ""))
