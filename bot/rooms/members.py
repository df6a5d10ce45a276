# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who belongs into which room: they alone get its keys, and all others are removed."""

import structlog

from bot.errors import MatrixError, Rejected
from bot.rooms.rooms import Member, Rooms
from desk.config import DeskConfig
from desk.context import Workplace
from desk.outbox.posts import tell_operators
from desk.rooms.disposable import invited_to
from desk.rooms.names import name_of
from storage.models import Room, RoomPurpose, RoomState

log = structlog.get_logger()

NOBODY: frozenset[str] = frozenset()


def named_for(config: DeskConfig, room: Room) -> frozenset[str]:
    """The people whom the config or an agent named for a room."""
    if room.purpose is RoomPurpose.QUEUE:
        return config.agents
    if room.purpose is RoomPurpose.OPERATORS:
        return config.admins
    if room.state is RoomState.CLOSED or room.opened_by is None:
        return NOBODY
    invited = invited_to(room)
    return frozenset(invited.outsiders) | (config.agents & {room.opened_by, *invited.agents})


class Members:
    """Compares who is in a room with whom the config, or a disposable room's row, names for it."""

    def __init__(self, place: Workplace, rooms: Rooms) -> None:
        self._place = place
        self._rooms = rooms
        self._lasting: dict[str, frozenset[str]] = {}
        self._told: set[tuple[str, str]] = set()
        """Who the operators know to be where they do not belong."""
        self._stubborn: set[tuple[str, str]] = set()

    async def readers(self, room_id: str) -> frozenset[str]:
        """Those who may read what the bot says there, itself among them; nobody where it has no business."""
        known = self._lasting.get(room_id)
        if known is not None:
            return known
        async with self._place.units() as unit:
            room = await unit.rooms.by_room_id(room_id)
            if room is None:
                return NOBODY
            named = named_for(self._place.config, room) | {self._rooms.own_id}
        if room.purpose is not RoomPurpose.DISPOSABLE:
            # The config does not change while the desk runs; a disposable room may be closed at any time.
            self._lasting[room_id] = named
        return named

    async def tidy_all(self) -> None:
        """Look at all rooms; raises TryLater or SessionGone."""
        async with self._place.units() as unit:
            rooms = [room.room_id for room in await unit.rooms.all_open() if room.room_id]
        for room_id in rooms:
            try:
                await self.tidy(room_id)
            except MatrixError:
                raise
            except Exception:
                # What a homeserver says may be of any shape: one room must not keep the others untidy.
                log.exception("members.surprise", room=room_id)

    async def tidy(self, room_id: str) -> None:
        """Remove who does not belong into a room, and tell the operators; raises TryLater or SessionGone."""
        belong = await self.readers(room_id)
        if not belong:
            return
        try:
            present = await self._rooms.members(room_id)
            strangers = [member for member in present if member.user_id not in belong]
            await self._remove(room_id, strangers)
            if not await self._rooms.keep_invitations(room_id, belong):
                log.warning("members.may-invite", room=room_id)
        except Rejected as why:
            log.warning("members.refused", room=room_id, code=why.code)

    async def _remove(self, room_id: str, strangers: list[Member]) -> None:
        # Before it is done: a crash in between must not keep it from the operators.
        fresh = [member for member in strangers if (room_id, member.user_id) not in self._told]
        await self._tell(room_id, [f"{_said(member)} I remove this user." for member in fresh])
        self._told.update((room_id, member.user_id) for member in fresh)
        stay = []
        for member in strangers:
            try:
                await self._rooms.kick(room_id, member.user_id)
            except Rejected as why:
                log.warning("members.stays", room=room_id, code=why.code)
                stay.append(member.user_id)
            else:
                self._told.discard((room_id, member.user_id))
        news = [user for user in stay if (room_id, user) not in self._stubborn]
        words = "I could not remove {who}: somebody with more power in the room must."
        await self._tell(room_id, [words.format(who=user) for user in news])
        self._stubborn.update((room_id, user) for user in news)

    async def _tell(self, room_id: str, sentences: list[str]) -> None:
        if not sentences:
            return
        async with self._place.units() as unit:
            room = await unit.rooms.by_room_id(room_id)
            if room is not None:
                await tell_operators(self._place.work(unit), f"In {name_of(room)}: {' '.join(sentences)}")


def _said(member: Member) -> str:
    """Who somebody is to the desk, and what they could not do."""
    if member.membership == "join":
        return f"{member.user_id} is in the room, but is not named for it and gets no keys."
    if member.membership == "knock":
        return f"{member.user_id} asks to be let in, but is not named for this room."
    return f"{member.user_id}, invited by {member.by}, is not named for this room and gets no keys."
