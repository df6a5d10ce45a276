# SPDX-License-Identifier: AGPL-3.0-or-later
"""From kept letters to committed tickets, against bare gpg loops side by side."""

import asyncio
import contextlib
import os
import statistics
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.post import ADDRESS, Post, encrypted_mail, plain_mail, post, words
from desk.config import DeskConfig, Queue
from desk.context import Workplace
from helproom.jobs.keeping import keeper
from helproom.world import real_world
from mail.openpgp.keyring import GpgExecutor
from mail.workers.letters import LetterWorker
from mail.workers.opener import LetterOpener
from storage.engine.connect import open_engine
from storage.migrating import migrate
from storage.models import LetterState, Room, RoomPurpose, RoomState
from storage.queries.letters import IncomingMail
from storage.sealing.vault import Vault
from storage.unit import Units

LETTERS = 200
ROUNDS = 3
WORKERS = 2
ENCRYPTED_TARGET = 0.7
PLAIN_TARGET = 150.0


def measure(folder: Path) -> Iterator[Figure]:
    """Take in encrypted letters and bare gpg's share in turn, then plain letters."""
    with post(folder) as office:
        armors = [office.encrypt(words(5000, seed)) for seed in range(LETTERS)]
        files = [folder / f"{number}.asc" for number in range(LETTERS)]
        for file, armor in zip(files, armors, strict=True):
            file.write_bytes(armor)
        ours, floor = [], []
        for attempt in range(ROUNDS):
            floor.append(LETTERS / _bare(office, files))
            raws = [encrypted_mail(number, armor) for number, armor in enumerate(armors)]
            ours.append(LETTERS / asyncio.run(_take_in(office, folder / f"{attempt}.db", raws)))
        yield _figure("encrypted letters a second / two bare gpg loops", ours, floor, ENCRYPTED_TARGET)
        plain = []
        for attempt in range(ROUNDS):
            raws = [plain_mail(number, words(5000, number)) for number in range(LETTERS)]
            plain.append(LETTERS / asyncio.run(_take_in(office, folder / f"plain{attempt}.db", raws)))
        yield _figure("plain letters a second / 150", plain, [PLAIN_TARGET], 1.0)


def _figure(name: str, ours: Sequence[float], floor: Sequence[float], target: float) -> Figure:
    rate, bare = statistics.median(ours), statistics.median(floor)
    return Figure(name, rate / bare, target, rate, bare, "letters/s", LETTERS * ROUNDS, at_least=True)


def _bare(office: Post, files: Sequence[Path]) -> float:
    start = time.perf_counter()
    with ThreadPoolExecutor(WORKERS) as loops:
        list(loops.map(office.open_bare, files))
    return time.perf_counter() - start


async def _take_in(office: Post, database: Path, raws: Sequence[bytes]) -> float:
    """Keep all letters, then return the seconds from the first worker's start to the last commit."""
    async with _desk(database, office) as (units, worker):
        keep = keeper(units, real_world(), "lmtp")
        for number, raw in enumerate(raws):
            await keep(IncomingMail("help", f"user{number}@user.example", None, raw))
        start = time.perf_counter()
        running = asyncio.create_task(worker.run())
        while await _in_state(units, LetterState.TICKET) < len(raws):  # noqa: ASYNC110 - nothing rings at the end
            await asyncio.sleep(0.05)
        took = time.perf_counter() - start
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    return took


async def _in_state(units: Units, state: LetterState) -> int:
    async with units() as unit:
        return (await unit.letters.counts()).get(state, 0)


@contextlib.asynccontextmanager
async def _desk(database: Path, office: Post) -> AsyncIterator[tuple[Units, LetterWorker]]:
    engine = open_engine(f"sqlite:///{database}")
    await migrate(engine)
    units = Units(engine, Vault(os.urandom(32)))
    config = DeskConfig((Queue("help", "en", ADDRESS, "Help Desk", office.fingerprint),), frozenset())
    workshop = GpgExecutor(WORKERS)
    async with units() as unit:
        for purpose, queue, ref in ((RoomPurpose.QUEUE, "help", "r1"), (RoomPurpose.OPERATORS, None, "r2")):
            room = Room(purpose=purpose, queue=queue, state=RoomState.OPEN, room_id=f"!{ref}:x", ref=ref)
            await unit.rooms.add(room)
    try:
        opener = LetterOpener(office.keyring, workshop)
        yield units, LetterWorker(Workplace(units, real_world(), config), opener, parallel=WORKERS)
    finally:
        workshop.close()
        await units.close()
