# SPDX-License-Identifier: AGPL-3.0-or-later
"""Follows a lasting room that was replaced (m.room.tombstone) into the room that it names."""

import structlog

from bot.errors import Rejected
from bot.rooms.homes import Home, invite_people
from bot.rooms.members import Members
from bot.rooms.rooms import Rooms
from desk.context import Workplace
from desk.kinds import KINDS
from desk.outbox.posts import tell_operators
from desk.rooms import replacement
from desk.rooms.names import link_to, name_of
from storage.models import Room, RoomPurpose, RoomState

log = structlog.get_logger()


class Successors:
    """Moves the row of a room to its successor, once both rooms say that it is one."""

    def __init__(self, place: Workplace, rooms: Rooms, members: Members, homes: tuple[Home, ...]) -> None:
        self._place = place
        self._rooms = rooms
        self._members = members
        self._homes = homes
        self._told: set[tuple[str, str]] = set()

    async def follow(self, old: str) -> None:
        """Go where a room of ours has gone, or ask for the way; raises TryLater or SessionGone."""
        room = await self._lasting(old)
        if room is None:
            return
        new = await self._rooms.replacement(old)
        if new is None:
            await self._stay(old)
            return
        await self._set_state(old, RoomState.OPEN, RoomState.REPLACED)
        if new not in await self._rooms.joined_rooms():
            try:
                await self._rooms.join(new)
            except Rejected:
                log.warning("successors.not-invited", room=old)
                words = (
                    f"was replaced by {new}, and I cannot go there: please invite me there. Until then "
                    "nothing is said there; it waits."
                )
                await self._tell_once(old, new, words)
                return
        await self._settle(old, new)

    async def enter(self, new: str) -> bool:
        """Accept an invitation, when a room of ours names this one as its successor."""
        async with self._place.units() as unit:
            lasting = [room.room_id for room in await unit.rooms.lasting() if room.room_id]
        for old in lasting:
            if await self._rooms.replacement(old) == new:
                await self._rooms.join(new)
                await self._set_state(old, RoomState.OPEN, RoomState.REPLACED)
                await self._settle(old, new)
                return True
        return False

    async def _settle(self, old: str, new: str) -> None:
        if await self._rooms.predecessor(new) != old:
            log.warning("successors.not-its-successor", room=old)
            words = f"names {new} as its successor, but that room does not say so."
            # One that is ours by itself must not be lost by what another room says of it.
            if not await self._is_ours(new):
                await self._rooms.leave(new)
                words += " I stay out of it."
            await self._set_state(old, RoomState.REPLACED, RoomState.OPEN)
            await self._tell_once(old, new, f"{words} I go on in the old room.")
            return
        lacks = await self._rooms.missing_rights(new)
        await self._move(old, new, lacks)
        home = await self._home(new)
        if home is not None:
            await invite_people(self._place, self._rooms, home, new)
        await self._members.tidy(new)

    async def _move(self, old: str, new: str, lacks: tuple[str, ...]) -> None:
        async with self._place.units() as unit:
            room = await unit.rooms.by_room_id(old)
            if room is None:
                return
            await replacement.move_room(self._place.work(unit), KINDS, room, new)
            words = f"{_capital(name_of(room))} was replaced, and I went on into {link_to(room)} "
            words += f"({new}). {self._line(room, new)}"
            if lacks:
                words += f" There is something to mend in it: {' '.join(lacks)}"
            await tell_operators(self._place.work(unit), words)
        log.info("successors.followed", old=old, new=new)

    def _line(self, room: Room, new: str) -> str:
        home = next((each for each in self._homes if each.queue == room.queue), None)
        if home is None or home.room_id is None:
            return "The config names no room for it, so there is nothing to change."
        where = f"the queue “{room.queue}”" if room.queue else "`operators`"
        return f'Please change the line of {where} in the config to `room: "{new}"`.'

    async def _home(self, new: str) -> Home | None:
        room = await self._lasting(new)
        if room is None:
            return None
        return next((each for each in self._homes if each.queue == room.queue), None)

    async def _lasting(self, room_id: str) -> Room | None:
        async with self._place.units() as unit:
            room = await unit.rooms.by_room_id(room_id)
        is_lasting = room is not None and room.purpose is not RoomPurpose.DISPOSABLE
        return room if is_lasting else None

    async def _is_ours(self, room_id: str) -> bool:
        async with self._place.units() as unit:
            return await unit.rooms.by_room_id(room_id) is not None

    async def _stay(self, old: str) -> None:
        """Go on in a room that was ended without another in its place, or whose end was taken back."""
        await self._set_state(old, RoomState.REPLACED, RoomState.OPEN)
        words = (
            "was ended by somebody, but no other room was named in its place. I go on there. "
            "Agents may not see it in their clients: put another room into the config, or have its end "
            "taken back."
        )
        if await self._rooms.is_ended(old):
            await self._tell_once(old, "", words)

    async def _set_state(self, old: str, before: RoomState, after: RoomState) -> None:
        """Have what is said in a room wait for its successor, as it reaches nobody; or say it there again."""
        async with self._place.units() as unit:
            room = await unit.rooms.by_room_id(old)
            if room is not None and room.state is before:
                room.state = after
                unit.wake("outbox")

    async def _tell_once(self, old: str, new: str, words: str) -> None:
        if (old, new) in self._told:
            return
        self._told.add((old, new))
        async with self._place.units() as unit:
            room = await unit.rooms.by_room_id(old)
            if room is not None:
                await tell_operators(self._place.work(unit), f"{_capital(name_of(room))} {words}")


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
