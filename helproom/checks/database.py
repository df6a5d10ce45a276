# SPDX-License-Identifier: AGPL-3.0-or-later
"""Checks on the database: reachable, of the right shape, and opened by this master key."""

from collections.abc import AsyncIterator

from helproom.checks.findings import Finding, ok, problem, warning
from helproom.config import databases, for_desk
from helproom.config.settings import Settings
from storage.migrating import Shape, shape_of
from storage.sealing.columns import OwnKey
from storage.sealing.vault import SealBroken
from storage.unit import Units

PART = "database"


async def check_database(settings: Settings) -> AsyncIterator[Finding]:
    """Look at the database without changing it."""
    units = for_desk.open_units(settings)
    file = databases.file_of(for_desk.database_url(settings))
    try:
        if file is not None and not file.exists():
            yield warning(PART, "There is none yet: `helproom run` makes it.")
            return
        yield await _look(units)
    finally:
        await units.close()


async def _look(units: Units) -> Finding:
    shape = await shape_of(units.engine)
    if shape is Shape.EMPTY:
        return warning(PART, "It is empty: `helproom run` prepares it.")
    if shape is Shape.OLDER:
        return warning(PART, "It is older than this Helproom: make a backup; `helproom run` brings it up.")
    if not await _opens(units):
        return problem(PART, "The master key does not open it: restore the key it was written with.")
    return ok(PART, "It answers and has the right shape.")


async def _opens(units: Units) -> bool:
    async with units() as unit:
        rows: list[OwnKey | None] = [*await unit.rooms.all_open(), await unit.keys.oldest()]
        try:
            for row in filter(None, rows):
                row.data_key()
        except SealBroken:
            return False
    return True
