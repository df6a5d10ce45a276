# SPDX-License-Identifier: AGPL-3.0-or-later
"""Opens kept letters once more, with the keys that are here by now."""

from desk.context import Workplace
from desk.intake.recheck import conclude
from desk.keys.offers import KeyGrown
from desk.letters.opened import Opened, Unopenable
from desk.outbox.outcomes import Delivered, Impossible, Later, OutboxItem, Outcome
from mail.openpgp.keyring import KeyringUnusable
from mail.workers.opener import LetterOpener
from mail.workers.raw_letters import RawLetter, read_letter
from storage.sealing.vault import SealBroken


class Rechecker:
    """The sender of outbox rows of the kind "recheck"."""

    def __init__(self, place: Workplace, opener: LetterOpener) -> None:
        """Remember what is needed; nothing is opened yet."""
        self._place = place
        self._opener = opener

    async def __call__(self, parcel: OutboxItem) -> Outcome:
        """Open one letter again; what came of it is said in the ticket's thread."""
        try:
            return await self._recheck(parcel)
        except SealBroken:
            return Impossible("the master key here does not open that letter")

    async def _recheck(self, parcel: OutboxItem) -> Outcome:
        begun = await self._begun(parcel.message or 0)
        if begun is None:
            return Impossible("the letter is not kept any more")
        found: Opened | str
        try:
            found = await self._opener.open(begun)
        except Unopenable as why:
            found = str(why)
        except KeyringUnusable as why:
            return Later(str(why))
        await self._conclude(parcel, found)
        return Delivered()

    async def _begun(self, message_id: int) -> RawLetter | None:
        async with self._place.units() as unit:
            message = await unit.messages.get(message_id)
            letter_id = message.letter_id if message is not None else None
            return await read_letter(unit, letter_id) if letter_id is not None else None

    async def _conclude(self, parcel: OutboxItem, found: Opened | str) -> None:
        while True:
            try:
                async with self._place.units() as unit:
                    desk = self._place.work(unit)
                    await conclude(desk, parcel.id, parcel.message or 0, found)
                    return
            except KeyGrown as why:
                grown = why
            if isinstance(found, Opened):
                found = await self._opener.merged(found, grown)
