# SPDX-License-Identifier: AGPL-3.0-or-later
"""Opens letters in quarantine for those who asked to see them."""

import json

from desk.context import Workplace
from desk.letters.opened import Opened, Unopenable
from desk.outbox.outcomes import Delivered, Impossible, Later, OutboxItem, Outcome
from desk.quarantine.letters import show
from mail.openpgp.keyring import KeyringUnusable
from mail.workers.opener import LetterOpener
from mail.workers.raw_letters import RawLetter, read_letter
from storage.sealing.vault import SealBroken

_GONE = "It is not kept any more."


class QuarantineReader:
    """The sender of outbox rows of the kind "quarantine.show"."""

    def __init__(self, place: Workplace, opener: LetterOpener) -> None:
        """Remember what is needed; nothing is opened yet."""
        self._place = place
        self._opener = opener

    async def __call__(self, parcel: OutboxItem) -> Outcome:
        """Open one letter; what it holds is said in the room where it was asked for."""
        try:
            return await self._show(parcel)
        except SealBroken:
            return Impossible("the master key here does not open that letter")

    async def _show(self, parcel: OutboxItem) -> Outcome:
        begun = await self._begun(json.loads(parcel.payload)["letter"])
        found: Opened | str = _GONE
        try:
            if begun is not None:
                found = await self._opener.open(begun)
        except Unopenable as why:
            found = str(why)
        except KeyringUnusable as why:
            return Later(str(why))
        async with self._place.units() as unit:
            await show(self._place.work(unit), parcel.id, found)
        return Delivered()

    async def _begun(self, letter_id: int) -> RawLetter | None:
        async with self._place.units() as unit:
            return await read_letter(unit, letter_id)
