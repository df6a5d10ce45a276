# SPDX-License-Identifier: AGPL-3.0-or-later
"""Turns letters that were kept into what the desk makes of them: opened outside any unit, several at once."""

import asyncio
import datetime as dt

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
from mail.workers.letter_queue import MOST_TRIES, OUR_FAULT, ClaimedLetter, LetterQueue
from mail.workers.opener import LetterOpener
from storage.engine.troubles import StorageTrouble
from storage.models import Letter
from storage.queries.letters import LONGEST_PAUSE
from storage.sealing.vault import SealBroken
from storage.unit import Unit

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
        self._shelf = LetterQueue(place)
        self._taking_in = asyncio.Lock()
        """One at a time: of one mail to two of our addresses, each sees what became of the other."""
        self._keyring_failures = 0
        self._told_of_master_key = False

    async def run(self) -> None:
        """Work for ever."""
        try:
            async with asyncio.TaskGroup() as together:
                # Twice as many as GnuPG may run: some are opened while others are taken in.
                for _ in range(2 * self._parallel):
                    together.create_task(self._work_on())
        finally:
            await asyncio.shield(self._shelf.close())

    async def _work_on(self) -> None:
        while True:
            begun = await self._shelf.next()
            try:
                await self._open(begun)
            except StorageTrouble:
                log.warning("letters.storage_trouble", letter=begun.id)
                await asyncio.sleep(_STORAGE_PAUSE_SECONDS)
            finally:
                self._shelf.done(begun)

    async def work(self, letter_id: int) -> None:
        """Open one letter and have it taken in, or put aside with its reason.

        A letter that is done or not due is left alone. Raises StorageTrouble when it cannot be begun;
        once it is opened, a database that fails is waited for.
        """
        begun = await self._shelf.begin(letter_id)
        if begun is not None:
            await self._open(begun)

    async def _open(self, begun: ClaimedLetter) -> None:
        try:
            await self._go_on(begun)
        except (StorageTrouble, asyncio.CancelledError):
            # Neither the database nor a stop of the process is the letter's fault.
            await asyncio.shield(self._shelf.give_back([begun]))
            raise

    async def _go_on(self, begun: ClaimedLetter) -> None:
        letter_id = begun.id
        stopwatch = Stopwatch()
        try:
            opened = await self._opener.open(begun)
        except Unopenable as why:
            await self._put_aside(letter_id, str(why))
        except KeyringUnusable as why:
            await self._postpone(letter_id, str(why))
        except SealBroken:
            await self._wait_for_master_key(letter_id)
        except StorageTrouble:
            raise
        except Exception as surprise:
            log.exception("letters.surprise", letter=letter_id, fault=type(surprise).__name__)
            await self._fail(letter_id)
        else:
            self._keyring_failures = 0
            encryption = opened.encryption.state.value
            log.info("letter.opened", letter=letter_id, encryption=encryption, ms=stopwatch.ms)
            await self._conclude(letter_id, opened)

    def _desk(self, unit: Unit) -> Work:
        return self._place.work(unit)

    async def _conclude(self, letter_id: int, opened: Opened) -> None:
        while True:
            try:
                await self._take_in(letter_id, opened)
            except StorageTrouble:
                log.warning("letters.storage_trouble", letter=letter_id)
                await asyncio.sleep(_STORAGE_PAUSE_SECONDS)
            except SealBroken:
                await self._wait_for_master_key(letter_id)
                return
            except Refusal as why:
                await self._put_aside(letter_id, str(why))
                return
            except Exception as surprise:
                log.exception("letters.surprise", letter=letter_id, fault=type(surprise).__name__)
                await self._fail(letter_id)
                return
            else:
                return

    async def _take_in(self, letter_id: int, opened: Opened) -> None:
        """Have it taken in; a known key that it brings in another form is merged first, outside any unit."""
        while True:
            try:
                async with self._taking_in, self._place.units() as unit:
                    await steps.take_in(self._desk(unit), await _letter(unit, letter_id), opened)
                    return
            except KeyGrown as why:
                grown = why
            opened = await self._opener.merged(opened, grown)

    async def _put_aside(self, letter_id: int, reason: str) -> None:
        async with self._place.units() as unit:
            await letters.put_aside(self._desk(unit), await _letter(unit, letter_id), reason)

    async def _fail(self, letter_id: int) -> None:
        async with self._place.units() as unit:
            letter = await _letter(unit, letter_id)
            if letter.tries >= MOST_TRIES:
                await letters.put_aside(self._desk(unit), letter, OUR_FAULT)
            else:
                letter.due_at = self._place.world.now() + _PAUSE * letter.tries

    async def _postpone(self, letter_id: int, why: str) -> None:
        """It is not the letter's fault: it waits, and the operators hear of it once."""
        self._keyring_failures += 1
        doublings = min((self._keyring_failures - 1) // self._parallel, _MOST_DOUBLINGS)
        log.warning("letters.keyring_unusable", letter=letter_id)
        async with self._place.units() as unit:
            letter = await _letter(unit, letter_id)
            letter.tries -= 1
            letter.due_at = self._place.world.now() + min(LONGEST_PAUSE, _PAUSE * (1 << doublings))
            if self._keyring_failures == 1:
                text = f"Letters cannot be opened: {why} They wait, and are tried again by themselves."
                await tell_operators(self._place.work(unit), text)

    async def _wait_for_master_key(self, letter_id: int) -> None:
        """Neither is this the letter's fault; its pause grows with its age, as others may open meanwhile."""
        log.warning("letters.seal_broken", letter=letter_id)
        async with self._place.units() as unit:
            letter = await _letter(unit, letter_id)
            letter.tries -= 1
            age = self._place.world.now() - letter.received_at
            letter.due_at = self._place.world.now() + min(LONGEST_PAUSE, max(_PAUSE, age))
            if not self._told_of_master_key:
                await tell_operators(self._place.work(unit), _SEALED)
        self._told_of_master_key = True


async def _letter(unit: Unit, letter_id: int) -> Letter:
    letter = await unit.letters.get(letter_id)
    if letter is None:
        raise LookupError(f"letter {letter_id} is gone")
    return letter
