# SPDX-License-Identifier: AGPL-3.0-or-later
"""Named queries on rooms."""

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import bindparam, select

from storage.models import Room, RoomPurpose, RoomState
from storage.queries.base import Queries, Transaction

# Built once, as every letter asks so.
_OF_QUEUE = select(Room).where(Room.purpose == RoomPurpose.QUEUE, Room.queue == bindparam("queue"))


class Rooms(Queries):
    """Rooms of queues and operators, and disposable ones."""

    def __init__(self, transaction: Transaction) -> None:
        super().__init__(transaction)
        self._of_queue: dict[str, Room] = {}

    async def add(self, room: Room, invited: str | None = None) -> Room:
        """Add a room, before it is made on the homeserver."""
        room.take_new_key(self._vault)
        room.invited = invited
        self._session.add(room)
        await self._session.flush()
        return room

    async def get(self, row_id: int) -> Room | None:
        """Return one room by the id of its row."""
        return await self._session.get(Room, row_id)

    async def by_room_id(self, room_id: str) -> Room | None:
        """Return the room with this Matrix room id."""
        return await self._session.scalar(select(Room).where(Room.room_id == room_id))

    async def of_queue(self, queue: str) -> Room | None:
        """Return the room in which a queue's tickets are announced; it is asked for once in a unit."""
        if queue not in self._of_queue:
            found = await self._session.scalar(_OF_QUEUE, {"queue": queue})
            if found is None:
                return None
            self._of_queue[queue] = found
        return self._of_queue[queue]

    async def lock(self, room: Room) -> None:
        """Let nobody else decide meanwhile what is said in this room."""
        await self._session.execute(select(Room.id).where(Room.id == room.id).with_for_update(key_share=True))

    async def of_operators(self, *, lock: bool = False) -> Room | None:
        """Return the operators' room, locked where nobody else may decide meanwhile what is said there."""
        query = select(Room).where(Room.purpose == RoomPurpose.OPERATORS)
        return await self._session.scalar(query.with_for_update(key_share=True) if lock else query)

    async def of_ticket(self, ticket_id: int) -> Room | None:
        """Return the disposable room of a ticket that is not closed yet."""
        return await self._session.scalar(
            select(Room).where(Room.ticket_id == ticket_id, Room.state != RoomState.CLOSED)
        )

    async def all_open(self) -> Sequence[Room]:
        """Return the rooms that exist on the homeserver."""
        return (await self._session.scalars(select(Room).where(Room.state == RoomState.OPEN))).all()

    async def lasting(self) -> Sequence[Room]:
        """Return the rooms of the queues and of the operators."""
        query = select(Room).where(Room.purpose.in_([RoomPurpose.QUEUE, RoomPurpose.OPERATORS]))
        return (await self._session.scalars(query)).all()

    async def disposable(self) -> Sequence[Room]:
        """Return the disposable rooms that have not been closed yet."""
        query = select(Room).where(
            Room.purpose == RoomPurpose.DISPOSABLE, Room.state.in_([RoomState.WANTED, RoomState.OPEN])
        )
        return (await self._session.scalars(query)).all()

    async def ended(self, now: dt.datetime) -> Sequence[Room]:
        """Return the disposable rooms whose end has come."""
        query = select(Room).where(
            Room.purpose == RoomPurpose.DISPOSABLE, Room.state == RoomState.OPEN, Room.ends_at <= now
        )
        return (await self._session.scalars(query)).all()

    async def ending_after(self, now: dt.datetime) -> Sequence[Room]:
        """Return the disposable rooms that are open and have an end to come, the next first."""
        query = select(Room).where(
            Room.purpose == RoomPurpose.DISPOSABLE, Room.state == RoomState.OPEN, Room.ends_at > now
        )
        return (await self._session.scalars(query.order_by(Room.ends_at))).all()
