# SPDX-License-Identifier: AGPL-3.0-or-later
"""The letters that wait to be opened: begun in batches, each try counted before anything is made of them."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterable, Sequence

import structlog

from desk.context import Workplace
from desk.intake.rate_limit import hold_back
from desk.quarantine.letters import put_aside
from mail.workers.raw_letters import RawLetter, read_letters
from storage.engine.troubles import StorageTrouble
from storage.models import Letter
from storage.unit import Unit

log = structlog.get_logger()

MOST_TRIES = 3
OUR_FAULT = f"internal error ({MOST_TRIES} attempts)"
_BATCH = 8
_BATCH_BYTES = 1_000_000
_POLL_SECONDS = 5.0


class LetterQueue:
    """Hands out letters, each leased to this worker until it was decided on."""

    def __init__(self, place: Workplace) -> None:
        """Nothing is begun yet."""
        self._place = place
        self._waiting: deque[RawLetter] = deque()
        self._returned: list[RawLetter] = []
        """Those that are not to be worked on, as long as the database does not know it."""
        self._choosing = asyncio.Lock()

    async def open(self) -> None:
        """Free what a process before this one had begun. Only for who works on letters alone."""
        async with self._place.units() as unit:
            await unit.letters.end_leases()

    async def next(self) -> RawLetter:
        """Return the next letter, as soon as there is one.

        It comes at once when a unit of this process wakes us, and by looking, as others cannot.
        """
        woken = self._place.units.wake_ups.letters
        async with self._choosing:
            while not self._waiting:
                woken.clear()
                self._waiting.extend(await self._begin_some())
                if not self._waiting:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(_POLL_SECONDS):
                            await woken.wait()
            return self._waiting.popleft()

    async def begin(self, letter_id: int) -> RawLetter | None:
        """Begin one letter; None when it is done, not due, begun by another or put aside."""
        async with self._place.units() as unit:
            begun = await self._lease(unit, [letter_id])
        return begun[0] if begun else None

    async def give_back(self, letters: Iterable[RawLetter]) -> None:
        """Take back the try of letters that nothing was made of; later where the database has trouble."""
        self._returned.extend(letters)
        with contextlib.suppress(StorageTrouble):
            await self._settle_returned()

    async def close(self) -> None:
        """Give back what was begun and not handed out."""
        waiting, self._waiting = self._waiting, deque()
        await self.give_back(waiting)

    async def _settle_returned(self) -> None:
        returned = tuple(self._returned)
        if returned:
            async with self._place.units() as unit:
                for letter in returned:
                    await unit.letters.give_back(letter.id, letter.lease)
            self._returned = [letter for letter in self._returned if letter not in returned]

    async def _begin_some(self) -> Sequence[RawLetter]:
        begun: Sequence[RawLetter] = ()
        try:
            await self._settle_returned()
            async with self._place.units() as unit:
                sizes = await unit.letters.waiting(self._place.world.now(), _BATCH)
                begun = await self._lease(unit, _fitting(sizes)) if sizes else ()
        except StorageTrouble:
            log.warning("letters.storage_trouble")
            # Maybe it was committed, and only the word of it was lost.
            self._returned.extend(begun)
            return ()
        return begun

    async def _lease(self, unit: Unit, letter_ids: Sequence[int]) -> Sequence[RawLetter]:
        """Count a try of each that is due: one that kills the process must not do so for ever."""
        now = self._place.world.now()
        begun: list[Letter] = []
        for letter in await unit.letters.due(now, letter_ids):
            work = self._place.work(unit)
            if letter.tries >= MOST_TRIES:
                await put_aside(work, letter, OUR_FAULT)
            elif not await hold_back(work, letter):
                unit.letters.lease(letter, now)
                begun.append(letter)
        return await read_letters(unit, begun)


def _fitting(waiting: Sequence[tuple[int, int, int]]) -> list[int]:
    """Choose from (id, tries, bytes) what to begin together.

    A letter that was tried before is begun alone, as it may be the one that kills the process.
    """
    chosen: list[int] = []
    room = _BATCH_BYTES
    for letter_id, tries, size in waiting:
        room -= size
        if chosen and (tries or room < 0):
            break
        chosen.append(letter_id)
        if tries:
            break
    return chosen
