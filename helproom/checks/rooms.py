# SPDX-License-Identifier: AGPL-3.0-or-later
"""Checks on the rooms: what the bot may do there, who is in them, and whether they are still in use."""

from collections.abc import Iterator
from dataclasses import dataclass

from bot.rooms.homes import Home
from bot.rooms.members import named_for
from bot.rooms.rooms import OWNER, Member, Rooms
from desk.rooms import replacement
from desk.rooms.names import name_of
from helproom.checks.findings import Finding, ok, problem, warning
from helproom.config import databases, for_desk
from helproom.config.homes import homes_of
from helproom.config.settings import Settings
from storage.migrating import Shape, shape_of
from storage.models import RoomPurpose, RoomState
from storage.unit import Unit


@dataclass(frozen=True)
class Place:
    """A room to look at, and whom the desk names for it."""

    part: str
    room_id: str | None
    named: frozenset[str]
    awaited: tuple[str, ...] = ()
    """Those of them who should be in it."""
    old_line: str | None = None
    """The room that the config still names, though it was replaced by this one."""


async def check_rooms(settings: Settings, rooms: Rooms) -> list[Finding]:
    """Look at all lasting rooms, and at who is in the disposable ones."""
    found: list[Finding] = []
    for place in await _places(settings):
        found += await _look_at(rooms, place)
    return found


async def _look_at(rooms: Rooms, place: Place) -> list[Finding]:
    if place.room_id is None:
        return [warning(place.part, "There is none yet: `helproom run` makes it.")]
    missing = await rooms.missing_rights(place.room_id)
    if missing:
        return [problem(place.part, " ".join(missing))]
    members = await rooms.members(place.room_id)
    troubles = list(_strangers(rooms, place, members))
    if (successor := await rooms.replacement(place.room_id)) is not None:
        words = f"It was replaced by {successor}: invite the bot there; `helproom run` then moves there."
        troubles.append(problem(place.part, words))
    if place.old_line is not None:
        words = f'The config names the room that was replaced: change its line to `room: "{place.room_id}"`.'
        troubles.append(warning(place.part, words))
    if int((await rooms.state(place.room_id, "m.room.power_levels")).get("invite", 0)) < OWNER:
        words = "Others than the bot may invite: `helproom run` mends it where the bot has power 100."
        troubles.append(warning(place.part, words))
    troubles += await _absent(rooms, place, members)
    return troubles or [ok(place.part, "It is encrypted, and the bot may do its work there.")]


def _strangers(rooms: Rooms, place: Place, members: tuple[Member, ...]) -> Iterator[Finding]:
    for member in members:
        if member.user_id not in place.named and member.user_id != rooms.own_id:
            how = "is in it" if member.membership == "join" else "is invited, or asks to be let in,"
            words = f"{member.user_id} {how} and is not named for it: `helproom run` removes this user."
            yield problem(place.part, words)


async def _absent(rooms: Rooms, place: Place, members: tuple[Member, ...]) -> list[Finding]:
    """Those who are to be there and are not."""
    joined = {member.user_id for member in members if member.membership == "join"}
    found = []
    for user in place.awaited:
        if user in joined:
            continue
        words = f"{user} has not joined yet, and cannot read what is said before."
        if not await rooms.exists(user):
            words = f"{user} does not exist. Is it spelt right in the config?"
        found.append(warning(place.part, words))
    return found


async def _places(settings: Settings) -> list[Place]:
    wanted = homes_of(settings)
    file = databases.file_of(for_desk.database_url(settings))
    if file is not None and not file.exists():
        return [_place_of(home, home.room_id) for home in wanted]
    units = for_desk.open_units(settings)
    try:
        if await shape_of(units.engine) is not Shape.CURRENT:
            return [_place_of(home, home.room_id) for home in wanted]
        async with units() as unit:
            lasting = [await _lasting(unit, home) for home in wanted]
            return [*lasting, *await _disposable(unit, settings)]
    finally:
        await units.close()


async def _lasting(unit: Unit, home: Home) -> Place:
    row = await (unit.rooms.of_queue(home.queue) if home.queue else unit.rooms.of_operators())
    if home.room_id is None:
        return _place_of(home, row.room_id if row else None)
    newest = await replacement.newest(unit, home.room_id)
    return _place_of(home, newest, home.room_id if newest != home.room_id else None)


def _place_of(home: Home, room_id: str | None, old_line: str | None = None) -> Place:
    part = f"room of {home.queue}" if home.queue else "operators' room"
    return Place(part, room_id, frozenset(home.members), home.members, old_line)


async def _disposable(unit: Unit, settings: Settings) -> list[Place]:
    config = for_desk.desk_config(settings)
    return [
        Place(name_of(row), row.room_id, named_for(config, row))
        for row in await unit.rooms.all_open()
        if row.purpose is RoomPurpose.DISPOSABLE and row.state is RoomState.OPEN
    ]
