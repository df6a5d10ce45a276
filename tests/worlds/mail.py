# SPDX-License-Identifier: AGPL-3.0-or-later
"""A desk with a real keyring, for letters that come and answers that leave."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from desk.config import DeskConfig, Queue
from desk.letters.opened import Opened
from mail.openpgp.keyring import GpgExecutor, Keyring
from mail.workers.letters import LetterWorker
from mail.workers.opener import LetterOpener
from mail.workers.raw_letters import RawLetter
from storage.models import Letter
from storage.queries.letters import IncomingMail
from storage.sealing.vault import Vault
from storage.unit import Units
from tests.worlds.desk import Clock, Desk
from tests.worlds.engines import engine_at

AGENT = "@agent:desk.example"
SUNDAY_NOON = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)


@dataclass(frozen=True)
class SlowOpener(LetterOpener):
    """Opens letters only when told so."""

    began: asyncio.Event = field(default_factory=asyncio.Event)
    may_go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def open(self, letter: RawLetter) -> Opened:
        self.began.set()
        await self.may_go_on.wait()
        return await super().open(letter)


@dataclass(kw_only=True)
class MailDesk(Desk):
    """A desk with one queue, its OpenPGP key, and what opens letters."""

    keyring: Keyring
    workshop: GpgExecutor = field(default_factory=lambda: GpgExecutor(2))

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


@contextlib.asynccontextmanager
async def mail_desk_at(database: str, keyring: Keyring) -> AsyncIterator[MailDesk]:
    """Open a desk with one queue, its room and the operators' room."""
    fingerprint = keyring.secret_keys()[0].fingerprint
    queue = Queue("help", "en", "help@desk.example", "Help Desk", fingerprint)
    config = DeskConfig((queue,), frozenset({AGENT}))
    units = Units(await engine_at(database), Vault(b"k" * 32))
    desk = MailDesk(units, Clock(SUNDAY_NOON), config, keyring=keyring)
    try:
        await desk.furnish()
        yield desk
    finally:
        desk.workshop.close()
        await units.close()
