# SPDX-License-Identifier: AGPL-3.0-or-later
"""Looks whether the master key is the one that sealed the database, before anything more is sealed."""

from helproom.config.credentials import SecretUnusable
from storage.sealing.vault import SealBroken
from storage.unit import Units


async def refuse_other_master_key(units: Units) -> None:
    """Raise SecretUnusable when the database was sealed with another master key."""
    async with units() as unit:
        # A desk that has never run has no room yet, and may know keys of contacts already.
        row = await unit.rooms.of_operators() or await unit.keys.oldest()
        try:
            if row is not None:
                row.data_key()
        except SealBroken:
            raise SecretUnusable(
                "The master key does not open the database: restore the key it was written with."
            ) from None
