# SPDX-License-Identifier: AGPL-3.0-or-later
"""Disposable rooms: made, closed, and ended when their time has come."""

import datetime as dt

from bot.carriers.disposable import DisposableRooms
from desk.context import Workplace
from desk.rooms import disposable
from helproom.features.feature import Feature
from helproom.jobs.schedule import LOOK_ANYHOW, Job
from helproom.parts.parts import Parts


def wire(parts: Parts) -> Feature:
    """Return what makes rooms and ends them."""
    matrix, place = parts.matrix, parts.place
    rooms = DisposableRooms(
        place,
        matrix.rooms,
        matrix.sender,
        version=parts.settings.matrix.room_version,
        agents=place.config.agents,
    )

    async def end_due() -> dt.timedelta | None:
        return await end_rooms(place)

    return Feature(
        carriers=rooms.table(),
        jobs=(Job("end disposable rooms", end_due, LOOK_ANYHOW, parts.desk.units.wake_ups.rooms),),
    )


async def end_rooms(place: Workplace) -> dt.timedelta | None:
    """End the rooms whose time has come; return when the next one's comes."""
    async with place.units() as unit:
        ends = await disposable.end_rooms(place.work(unit))
    return None if ends is None else ends - place.world.now()
