# SPDX-License-Identifier: AGPL-3.0-or-later
"""Heeds who comes and goes: removes strangers, answers invitations, follows a room to its successor."""

import asyncio

import structlog

from bot.desk.journal import EventJournal, RoomChange
from bot.errors import MatrixError, TryLater
from bot.events.events import Membership, Tombstone
from bot.http.pause import Pause
from bot.rooms.members import Members
from bot.rooms.replacement import Successors
from bot.rooms.rooms import Rooms
from desk.context import Workplace
from storage.engine.troubles import StorageTrouble
from storage.models import RoomPurpose

log = structlog.get_logger()


class Doorkeeper:
    """Works off what the journal has heard of our rooms."""

    def __init__(
        self,
        place: Workplace,
        rooms: Rooms,
        members: Members,
        successors: Successors,
        *,
        pause: Pause,
    ) -> None:
        self._place = place
        self._rooms = rooms
        self._members = members
        self._successors = successors
        self._pause = pause

    async def run(self, journal: EventJournal) -> None:
        """Work for ever; what the homeserver cannot do now is tried again."""
        while True:
            await self.heed_next(journal.changes)

    async def heed_next(self, changes: asyncio.Queue[RoomChange]) -> None:
        """Wait for a change and heed it."""
        change = await changes.get()
        try:
            await self._heed(change)
        except (TryLater, StorageTrouble) as trouble:
            log.warning("door.later", reason=str(trouble))
            changes.put_nowait(change)
            await self._pause.wait(trouble.after if isinstance(trouble, TryLater) else None)
        except MatrixError as trouble:
            log.warning("door.refused", reason=str(trouble))
        except Exception:
            # What a homeserver says may be of any shape: it must not end the desk, now and at each start.
            log.exception("door.surprise", room=change.room_id)
        else:
            self._pause.succeeded()

    async def _heed(self, change: RoomChange) -> None:
        if isinstance(change, Tombstone):
            await self._successors.follow(change.room_id)
        elif isinstance(change, Membership) and change.user_id == self._rooms.own_id:
            await self._answer(change)
        else:
            await self._members.tidy(change.room_id)

    async def _answer(self, invitation: Membership) -> None:
        """Follow admins into our own rooms, and our rooms to their successors; decline all else."""
        if await self._successors.enter(invitation.room_id):
            return
        async with self._place.units() as unit:
            room = await unit.rooms.by_room_id(invitation.room_id)
        is_ours = room is not None and room.purpose is not RoomPurpose.DISPOSABLE
        allowed = self._place.config.admins if is_ours else frozenset[str]()
        if await self._rooms.accept_invite(invitation.room_id, invitation.sender, allowed):
            await self._members.tidy(invitation.room_id)
