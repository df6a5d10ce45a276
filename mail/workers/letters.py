# SPDX-License-Identifier: AGPL-3.0-or-later
"""Turns letters that were kept into what the desk makes of them: opened outside any unit, several at once."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator

import structlog

from desk.context import Work, Workplace
from desk.intake import steps
from desk.keys.offers import KeyGrown
from desk.letters.opened import Opened, Unopenable
from desk.outbox.posts import tell_operators
from desk.quarantine import letters
from desk.stopwatch import Stopwatch
from desk.world import Refusal
from mail.openpgp.keyring import KeyringUnusable
from mail.workers.letter_queue import MOST_TRIES, OUR_FAULT, LetterQueue
from mail.workers.opener import LetterOpener
from mail.workers.raw_letters import RawLetter
from storage.engine.troubles import StorageTrouble
from storage.models import Letter
from storage.queries.letters import LONGEST_PAUSE, LeaseLost
from storage.sealing.vault import SealBroken

log = structlog.get_logger()

_SEALED = (
    "Letters wait because the master key here is not the one that sealed them or their ticket. "
    "They are tried again by themselves: put the right key, or the older one beside the new one, and restart."
)
_STORAGE_PAUSE_SECONDS = 2.0
_PAUSE = dt.timedelta(minutes=1)
_MOST_DOUBLINGS = 5


class LetterWorker:
    """Opens letters and has them taken in."""

    def __init__(self, place: Workplace, opener: LetterOpener, *, parallel: int) -> None:
        """Open up to `parallel` letters at once; nothing is begun yet."""
        self._place = place
        self._opener = opener
        self._parallel = parallel
        self._queue = LetterQueue(place)
        self._keyring_failures = 0
        self._told_of_master_key = False

    async def run(self) -> None:
        """Work for ever."""
        await self._queue.open()
        try:
            async with asyncio.TaskGroup() as together:
                # Twice as many as GnuPG may run: some are opened while others are taken in.
                for _ in range(2 * self._parallel):
                    together.create_task(self._work_on())
        finally:
            await asyncio.shield(self._queue.close())

    async def _work_on(self) -> None:
        while True:
            raw = await self._queue.next()
            try:
                await self._attempt(raw)
            except StorageTrouble:
                log.warning("letters.storage_trouble", letter=raw.id)
                await asyncio.sleep(_STORAGE_PAUSE_SECONDS)

    async def work(self, letter_id: int) -> None:
        """Open one letter and have it taken in, or put aside with its reason.

        A letter that is done or not due is left alone. Raises StorageTrouble when it cannot be begun;
        once it is opened, a database that fails is waited for.
        """
        raw = await self._queue.begin(letter_id)
        if raw is not None:
            await self._attempt(raw)

    async def _attempt(self, raw: RawLetter) -> None:
        try:
            await self._decide(raw)
        except LeaseLost:
            log.warning("letters.lease_lost", letter=raw.id)
        except (StorageTrouble, asyncio.CancelledError):
            # Neither the database nor a stop of the process is the letter's fault.
            await asyncio.shield(self._queue.give_back([raw]))
            raise

    async def _decide(self, raw: RawLetter) -> None:
        """Open a letter and have it taken in, or note what hindered that, the letter or something else.

        Raises LeaseLost and StorageTrouble.
        """
        try:
            opened = await self._open(raw)
            while (grown := await self._take_in(raw, opened)) is not None:
                opened = await self._opener.merged(opened, grown)
        except (Unopenable, Refusal) as why:
            await self._put_aside(raw, str(why))
        except KeyringUnusable as why:
            await self._postpone(raw, str(why))
        except SealBroken:
            await self._wait_for_master_key(raw)
        except (LeaseLost, StorageTrouble):
            raise
        except Exception as surprise:
            log.exception("letters.surprise", letter=raw.id, fault=type(surprise).__name__)
            await self._fail(raw)

    async def _open(self, raw: RawLetter) -> Opened:
        stopwatch = Stopwatch()
        opened = await self._opener.open(raw)
        self._keyring_failures = 0
        log.info("letter.opened", letter=raw.id, encryption=opened.encryption.state.value, ms=stopwatch.ms)
        return opened

    async def _take_in(self, raw: RawLetter, opened: Opened) -> KeyGrown | None:
        """Have a letter taken in; return the known key that is to be merged first, outside any unit."""
        while True:
            try:
                async with self._deciding_on(raw) as (work, letter):
                    await steps.take_in(work, letter, opened)
            except KeyGrown as grown:
                return grown
            except StorageTrouble:
                log.warning("letters.storage_trouble", letter=raw.id)
                await asyncio.sleep(_STORAGE_PAUSE_SECONDS)
            else:
                return None

    @contextlib.asynccontextmanager
    async def _deciding_on(self, raw: RawLetter) -> AsyncIterator[tuple[Work, Letter]]:
        """Open a unit in which is decided on a letter. Raises LeaseLost."""
        async with self._place.units() as unit:
            yield self._place.work(unit), await unit.letters.leased(raw.id, raw.lease)

    async def _put_aside(self, raw: RawLetter, reason: str) -> None:
        async with self._deciding_on(raw) as (work, letter):
            await letters.put_aside(work, letter, reason)

    async def _fail(self, raw: RawLetter) -> None:
        async with self._deciding_on(raw) as (work, letter):
            if letter.tries >= MOST_TRIES:
                await letters.put_aside(work, letter, OUR_FAULT)
            else:
                letter.due_at = work.world.now() + _PAUSE * letter.tries

    async def _postpone(self, raw: RawLetter, why: str) -> None:
        """It is not the letter's fault: it waits, and the operators hear of it once."""
        self._keyring_failures += 1
        doublings = min((self._keyring_failures - 1) // self._parallel, _MOST_DOUBLINGS)
        log.warning("letters.keyring_unusable", letter=raw.id)
        async with self._deciding_on(raw) as (work, letter):
            letter.tries -= 1
            letter.due_at = work.world.now() + min(LONGEST_PAUSE, _PAUSE * (1 << doublings))
            if self._keyring_failures == 1:
                text = f"Letters cannot be opened: {why} They wait, and are tried again by themselves."
                await tell_operators(work, text)

    async def _wait_for_master_key(self, raw: RawLetter) -> None:
        """Neither is this the letter's fault; its pause grows with its age, as others may open meanwhile."""
        log.warning("letters.seal_broken", letter=raw.id)
        async with self._deciding_on(raw) as (work, letter):
            letter.tries -= 1
            age = work.world.now() - letter.received_at
            letter.due_at = work.world.now() + min(LONGEST_PAUSE, max(_PAUSE, age))
            if not self._told_of_master_key:
                await tell_operators(work, _SEALED)
        self._told_of_master_key = True
