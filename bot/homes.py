# SPDX-License-Identifier: AGPL-3.0-or-later
"""The rooms of the queues and of the operators: made at first start, or taken as the config names them."""

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from bot.errors import Rejected
from bot.rooms import AGENT, RoomPlan, Rooms
from desk.world import World
from storage.models import Room
from storage.states import RoomPurpose, RoomState
from storage.unit import Unit, Units

log = structlog.get_logger()


@dataclass(frozen=True)
class Home:
    """A lasting room: for a queue, or for the operators when `queue` is None."""

    queue: str | None
    name: str
    members: tuple[str, ...]
    room_id: str | None = None
    """Given by the config; None means that the bot makes the room."""


async def note_homes(units: Units, world: World, homes: tuple[Home, ...]) -> None:
    """Write a row for each room that is to be, so that letters can be announced before it exists."""
    async with units() as unit:
        for home in homes:
            row = await _row_of(unit, home)
            if row is None:
                purpose = RoomPurpose.QUEUE if home.queue else RoomPurpose.OPERATORS
                row = Room(
                    ref=world.token(),
                    purpose=purpose,
                    queue=home.queue,
                    state=RoomState.WANTED,
                    ticket_id=None,
                )
                await unit.rooms.add(row)
            if home.room_id is not None and row.room_id != home.room_id:
                row.room_id = home.room_id
                row.state = RoomState.OPEN


async def _row_of(unit: Unit, home: Home) -> Room | None:
    return await (unit.rooms.of_queue(home.queue) if home.queue else unit.rooms.of_operators())


async def settle_homes(
    units: Units, rooms: Rooms, homes: tuple[Home, ...], *, version: str, federate: bool
) -> None:
    """Make what is missing and invite who is missing. Raises TryLater or SessionGone; safe to repeat."""
    joined = set(await rooms.joined_rooms())
    for home in homes:
        room_id = await _room_id(units, rooms, home, version=version, federate=federate)
        if home.room_id is not None and room_id not in joined:
            await _join(rooms, room_id)
        await _people(rooms, home, room_id)


async def _room_id(units: Units, rooms: Rooms, home: Home, *, version: str, federate: bool) -> str:
    async with units() as unit:
        row = await _row_of(unit, home)
        if row is None:
            raise LookupError("note_homes comes first")
        ref, room_id = row.ref, row.room_id
    if room_id is not None:
        return room_id
    powers: Mapping[str, int] = dict.fromkeys(home.members, AGENT)
    plan = RoomPlan(ref, home.name, invite=(), powers=powers, version=version, federate=federate)
    room_id = await rooms.open_room(plan)
    # Before anything is said: who is not invited when a key is shared can never read what it opens.
    await _people(rooms, home, room_id)
    async with units() as unit:
        row = await _row_of(unit, home)
        if row is not None:
            row.room_id, row.state = room_id, RoomState.OPEN
    return room_id


async def _join(rooms: Rooms, room_id: str) -> None:
    try:
        await rooms.join(room_id)
    except Rejected:
        log.warning("homes.not-invited", room=room_id)


async def _people(rooms: Rooms, home: Home, room_id: str) -> None:
    for member in home.members:
        try:
            await rooms.invite(room_id, member)
        except Rejected as why:
            log.warning("homes.invite-refused", room=room_id, code=why.code)
