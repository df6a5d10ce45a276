# SPDX-License-Identifier: AGPL-3.0-or-later
"""A desk with a real database and a real keyring, for letters that come and answers that leave."""

import asyncio
import datetime as dt
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from desk.config import DeskConfig, Queue
from desk.context import Work, Workplace
from desk.letters.opened import Opened
from desk.world import World
from mail.openpgp.keyring import GpgExecutor, Keyring
from mail.workers.letters import LetterWorker
from mail.workers.opener import LetterOpener
from mail.workers.raw_letters import RawLetter
from storage.models import Letter, Room, RoomPurpose, RoomState
from storage.queries.letters import IncomingMail
from storage.sealing.vault import Vault
from storage.unit import Unit, Units
from tests.engines import engine_at

AGENT = "@agent:desk.example"


@dataclass
class Clock:
    """A time that only tests move."""

    at: dt.datetime = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)
    tokens: "itertools.count[int]" = field(default_factory=itertools.count)

    def world(self) -> World:
        """Return the world that this clock shows."""
        return World(lambda: self.at, lambda: f"token{next(self.tokens)}")


@dataclass(frozen=True)
class SlowOpener(LetterOpener):
    """Opens letters only when told so."""

    began: asyncio.Event = field(default_factory=asyncio.Event)
    may_go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def open(self, letter: RawLetter) -> Opened:
        self.began.set()
        await self.may_go_on.wait()
        return await super().open(letter)


@dataclass
class Office:
    """All parts together."""

    units: Units
    clock: Clock
    world: World
    config: DeskConfig
    keyring: Keyring
    workshop: GpgExecutor

    @property
    def place(self) -> Workplace:
        """Return what parts of the desk are given."""
        return Workplace(self.units, self.world, self.config)

    def work(self, unit: Unit) -> Work:
        """Return what a decision in this unit works with."""
        return self.place.work(unit)

    def worker(self) -> LetterWorker:
        """Make a worker."""
        return LetterWorker(self.place, self.opener(), parallel=2)

    def opener(self, keyring: Keyring | None = None) -> LetterOpener:
        """Return what letters are opened with: the office's keyring, or another."""
        return LetterOpener(keyring or self.keyring, self.workshop, self.config.intake.relays)

    async def keep(
        self, raw: bytes, *, mail_from: str = "user@user.example", token: str | None = None
    ) -> int:
        """Keep a letter and return its id."""
        async with self.units() as unit:
            new = IncomingMail("help", mail_from, token, raw)
            letter_id = await unit.letters.keep(
                new, ref=self.world.token(), at=self.world.now(), source="lmtp"
            )
        assert letter_id is not None
        return letter_id

    async def take_in(self, raw: bytes, *, token: str | None = None) -> Letter:
        """Keep a letter, have it worked on, and return what became of it."""
        letter_id = await self.keep(raw, token=token)
        await self.worker().work(letter_id)
        return await self.letter(letter_id)

    async def letter(self, letter_id: int) -> Letter:
        """Return a letter as it is now."""
        async with self.units() as unit:
            letter = await unit.letters.get(letter_id)
            assert letter is not None
            return letter


@asynccontextmanager
async def open_office(database: str, keyring: Keyring) -> AsyncIterator[Office]:
    """Open a desk with one queue, its room and the operators' room."""
    engine = await engine_at(database)
    clock = Clock()
    world = clock.world()
    fingerprint = keyring.secret_keys()[0].fingerprint
    config = DeskConfig(
        (Queue("help", "en", "help@desk.example", "Help Desk", fingerprint),), frozenset({AGENT})
    )
    office = Office(Units(engine, Vault(b"k" * 32)), clock, world, config, keyring, GpgExecutor(2))
    async with office.units() as unit:
        for purpose, queue, ref in ((RoomPurpose.QUEUE, "help", "r1"), (RoomPurpose.OPERATORS, None, "r2")):
            room = Room(purpose=purpose, queue=queue, state=RoomState.OPEN, room_id=f"!{ref}:x", ref=ref)
            await unit.rooms.add(room)
    try:
        yield office
    finally:
        office.workshop.close()
        await office.units.close()
