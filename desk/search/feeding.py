# SPDX-License-Identifier: AGPL-3.0-or-later
"""Keeps the index up to date: changed tickets first, then those from before the start, newest first."""

import asyncio
from collections.abc import Sequence

import structlog

from desk.context import Workplace
from desk.search.entries import entry_of
from storage.engine.troubles import StorageTrouble
from storage.search.index import Entry
from storage.unit import Unit

log = structlog.get_logger()

AT_ONCE = 5
"""Tickets that are read in one unit: few, as everybody else waits for it."""
_STORAGE_PAUSE = 5.0


class Feeder:
    """Reads tickets and has them found."""

    def __init__(self, place: Workplace) -> None:
        """Nothing is read yet."""
        self._place = place
        self._below: int | None = None
        """Tickets from before the start are read down to this one; None as long as none is."""
        self._highest = 0
        self.is_done = False
        """Whether all tickets from before the start were read."""

    async def run(self) -> None:
        """Work for ever."""
        woken = self._place.units.wake_ups.search
        while True:
            woken.clear()
            try:
                is_busy = await self.step()
            except StorageTrouble:
                log.warning("search.storage_trouble")
                await asyncio.sleep(_STORAGE_PAUSE)
                continue
            # Others have their turn after each step.
            await (asyncio.sleep(0) if is_busy else woken.wait())

    async def step(self) -> bool:
        """Read some tickets; return False when there is nothing to read."""
        index = self._place.units.search
        numbers = index.take_changed(AT_ONCE)
        if numbers:
            try:
                await self._read(numbers)
            except StorageTrouble:
                index.note_changed(numbers)
                raise
            return True
        return not self.is_done and await self._read_older()

    async def _read_older(self) -> bool:
        index = self._place.units.search
        async with self._place.units() as unit:
            numbers = await unit.tickets.older_than(self._below, AT_ONCE)
        if numbers:
            self._highest = max(self._highest, numbers[0])
            await self._read(numbers)
            self._below = numbers[-1]
            index.searched_share = 1 - self._below / (self._highest + 1)
        else:
            self.is_done = True
            index.searched_share = 1.0
            log.info("search.ready")
        return True

    async def _read(self, numbers: Sequence[int]) -> None:
        """Have tickets found as they are now. Raises StorageTrouble."""
        async with self._place.units() as unit:
            found = [await _entry(unit, number) for number in numbers]
        try:
            await self._place.units.search.put(numbers, [entry for entry in found if entry is not None])
        except Exception:
            # To try again would be no better, and the desk must not end over what is not found.
            log.exception("search.surprise", tickets=numbers)


async def _entry(unit: Unit, number: int) -> Entry | None:
    try:
        return await entry_of(unit, number)
    except StorageTrouble:
        raise
    except Exception as surprise:  # noqa: BLE001 - one that cannot be read must not hide the others
        log.warning("search.unreadable", ticket=number, fault=type(surprise).__name__)
        return None
