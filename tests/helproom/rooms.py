# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a desk that has run before has in its database."""

from pathlib import Path

from helproom.config import for_desk
from helproom.config.settings import read_settings
from storage.migrating import migrate
from storage.models import Room, RoomPurpose, RoomState


async def make_operators_room(desk: Path) -> None:
    """Keep the operators' room, sealed with the master key of this desk."""
    units = for_desk.open_units(read_settings(desk / "config.yaml"))
    await migrate(units.engine)
    async with units() as unit:
        await unit.rooms.add(Room(ref="r", purpose=RoomPurpose.OPERATORS, state=RoomState.OPEN))
    await units.close()
