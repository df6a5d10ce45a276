# SPDX-License-Identifier: AGPL-3.0-or-later
"""The rooms of the queues and of the operators: made at first start, or taken as the config names them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import structlog

from bot.errors import Rejected
from bot.rooms.rooms import AGENT, RoomPlan, Rooms
from desk.context import Workplace
from desk.kinds import KINDS
from desk.outbox.posts import tell_operators
from desk.rooms import replacement
from storage.models import Room, RoomPurpose, RoomState
from storage.unit import Unit

log = structlog.get_logger()


@dataclass(frozen=True)
class Home:
    """A lasting room: for a queue, or for the operators when `queue` is None."""

    queue: str | None
    name: str
    members: tuple[str, ...]
    room_id: str | None = None
    """Given by the config; None means that the bot makes the room."""
    topic: str = ""
    old_name: str = ""
    """How the bot called such a room before it told the rooms of a role apart."""


async def note_homes(place: Workplace, homes: tuple[Home, ...]) -> None:
    """Write a row for each room that is to be, so that letters can be announced before it exists."""
    async with place.units() as unit:
        for home in homes:
            row = await _row_of(unit, home)
            if row is None:
                purpose = RoomPurpose.QUEUE if home.queue else RoomPurpose.OPERATORS
                row = Room(
                    ref=place.world.token(),
                    purpose=purpose,
                    queue=home.queue,
                    state=RoomState.WANTED,
                    ticket_id=None,
                )
                await unit.rooms.add(row)
            if home.room_id is None:
                continue
            # The config may still name a room that was replaced since.
            newest = await replacement.newest(unit, home.room_id)
            if row.room_id == newest:
                continue
            if row.state is RoomState.REPLACED:
                await replacement.move_room(place.work(unit), KINDS, row, newest)
            row.room_id, row.state = newest, RoomState.OPEN


async def _row_of(unit: Unit, home: Home) -> Room | None:
    return await (unit.rooms.of_queue(home.queue) if home.queue else unit.rooms.of_operators())


class HomeKeeper:
    """Makes the rooms that are missing, and invites who is missing in them."""

    def __init__(
        self, place: Workplace, rooms: Rooms, homes: tuple[Home, ...], *, version: str, federate: bool
    ) -> None:
        self._place = place
        self._rooms = rooms
        self._homes = homes
        self._version = version
        self._federate = federate
        self._told: set[str | None] = set()
        """Of which homes the operators know that they could not be settled."""

    async def settle(self) -> bool:
        """Settle all homes; return False when one was refused. Safe to repeat.

        Raises TryLater or SessionGone.
        """
        joined = set(await self._rooms.joined_rooms())
        is_well = True
        for home in self._homes:
            try:
                await self._settle(home, joined)
            except Rejected as why:
                is_well = False
                log.warning("homes.refused", queue=home.queue, code=why.code)
                name = _called(home)
                words = f"{name[:1].upper()}{name[1:]} could not be made or entered: {why} I try again later."
                await self._tell_once(home, words)
        return is_well

    async def _settle(self, home: Home, joined: Collection[str]) -> None:
        room_id = await self._room_id(home)
        if room_id is None:
            return
        if room_id not in joined and not await _join(self._rooms, room_id):
            await self._tell_once(home, f"I am not in {_called(home)}: an admin has to invite me there.")
            return
        await invite_people(self._place, self._rooms, home, room_id)
        await _label(self._rooms, home, room_id)

    async def _room_id(self, home: Home) -> str | None:
        """The room of a home, made if need be; None where another one takes its place."""
        async with self._place.units() as unit:
            row = await _row_of(unit, home)
            if row is None:
                raise LookupError("note_homes comes first")
            ref, room_id, state = row.ref, row.room_id, row.state
        if state is RoomState.REPLACED:
            return None
        return room_id or await self._make(home, ref)

    async def _make(self, home: Home, ref: str) -> str:
        powers: Mapping[str, int] = dict.fromkeys(home.members, AGENT)
        plan = RoomPlan(
            ref, home.name, home.topic, powers=powers, version=self._version, federate=self._federate
        )
        room_id = await self._rooms.open_room(plan)
        # Before anything is said: who is not invited when a key is shared can never read what it opens.
        await invite_people(self._place, self._rooms, home, room_id)
        async with self._place.units() as unit:
            row = await _row_of(unit, home)
            if row is not None:
                row.room_id, row.state = room_id, RoomState.OPEN
        return room_id

    async def _tell_once(self, home: Home, words: str) -> None:
        if home.queue not in self._told:
            self._told.add(home.queue)
            await _tell(self._place, words)


async def _join(rooms: Rooms, room_id: str) -> bool:
    try:
        await rooms.join(room_id)
    except Rejected:
        log.warning("homes.not-invited", room=room_id)
        return False
    return True


async def invite_people(place: Workplace, rooms: Rooms, home: Home, room_id: str) -> None:
    """Invite who is missing, and tell the operators of those to whom no invitation goes."""
    troubles: list[str] = []
    try:
        for member in home.members:
            if not await rooms.is_present(room_id, member):
                troubles += await _invite(rooms, room_id, member)
    finally:
        # Also when the homeserver fails in between: those who were invited are not looked at again.
        if troubles:
            await _tell(place, f"In {_called(home)}: {' '.join(troubles)}")


async def _invite(rooms: Rooms, room_id: str, member: str) -> list[str]:
    """Invite somebody; return what is wrong with that, in sentences."""
    # Asked before: once somebody is invited, nobody would ask again.
    exists = await rooms.exists(member)
    try:
        await rooms.invite(room_id, member)
    except Rejected as why:
        log.warning("homes.invite-refused", room=room_id, code=why.code)
        return [f"{member} could not be invited: {why}"]
    if exists:
        return []
    return [f"{member} is invited, but no such user exists. Is it spelt right in the config?"]


def _called(home: Home) -> str:
    return f"the room of “{home.queue}”" if home.queue else "the operators' room"


async def _tell(place: Workplace, words: str) -> None:
    async with place.units() as unit:
        await tell_operators(place.work(unit), words)


async def _label(rooms: Rooms, home: Home, room_id: str) -> None:
    """Give a room a topic if it has none, and a name of its own if it has the one that all had."""
    try:
        if home.topic and not (await rooms.state(room_id, "m.room.topic")).get("topic"):
            await rooms.put_state(room_id, "m.room.topic", {"topic": home.topic})
        name = (await rooms.state(room_id, "m.room.name")).get("name")
        if home.room_id is None and home.old_name and name == home.old_name != home.name:
            await rooms.put_state(room_id, "m.room.name", {"name": home.name})
    except Rejected as why:
        log.warning("homes.label-refused", room=room_id, code=why.code)
