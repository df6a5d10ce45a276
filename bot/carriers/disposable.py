# SPDX-License-Identifier: AGPL-3.0-or-later
"""Opens disposable rooms on the homeserver, and ends them so that nothing of them is left with us."""

from collections.abc import Awaitable, Collection, Mapping

import structlog

from bot.carriers.senders import Carrier, guarded
from bot.errors import Rejected
from bot.rooms.rooms import AGENT, RoomPlan, Rooms
from bot.sending.sender import Sender
from desk.agents.identities import forget_guests
from desk.context import Workplace
from desk.outbox.kinds import Kind
from desk.outbox.outcomes import Delivered, OutboxItem, Outcome
from desk.outbox.posts import Say, answer_in_thread, say_in
from desk.rooms.disposable import CLOSE, OPEN, invited_to
from storage.models import Room, RoomState
from storage.unit import Unit

log = structlog.get_logger()

NAME = "Help desk"
"""Names of rooms are in clear on every homeserver that takes part: this one says nothing."""


class DisposableRooms:
    """Carries the rows that open and close a ticket's disposable room; each may be carried twice."""

    def __init__(
        self,
        place: Workplace,
        rooms: Rooms,
        sender: Sender,
        *,
        version: str,
        agents: Collection[str] = (),
    ) -> None:
        """`agents` are no guests, whoever invites them."""
        self._agents = frozenset(agents)
        self._place = place
        self._rooms = rooms
        self._sender = sender
        self._version = version

    def table(self) -> Mapping[Kind, Carrier]:
        """Return which kind of row is carried how."""
        return {OPEN: guarded(self._open), CLOSE: guarded(self._close)}

    async def _open(self, parcel: OutboxItem) -> Outcome:
        async with self._place.units() as unit:
            room = await unit.rooms.get(parcel.room or 0)
            if room is None or room.state is RoomState.OPEN:
                return Delivered()
            wanted = room.state is RoomState.WANTED
            guests, opener = invited_to(room).everybody, room.opened_by or ""
        if not wanted:
            return await self._abandon(parcel, room)
        plan = RoomPlan(room.ref, NAME, powers={opener: AGENT}, version=self._version)
        room_id = await self._rooms.open_room(plan)
        missing = [user for user in (opener, *guests) if not await self._invited(room_id, user)]
        if not await self._opened(parcel, room_id, missing):
            await self._empty(parcel, room_id)
        return Delivered()

    async def _abandon(self, parcel: OutboxItem, room: Room) -> Outcome:
        """The room was closed before it was noted as open; a crash may have left one on the homeserver."""
        made = None if room.room_id else await self._rooms.find_room(room.ref)
        if made is not None:
            await self._empty(parcel, made)
        return Delivered()

    async def _invited(self, room_id: str, user_id: str) -> bool:
        try:
            await self._rooms.invite(room_id, user_id)
        except Rejected:
            return False
        return await self._rooms.exists(user_id)

    async def _opened(self, parcel: OutboxItem, room_id: str, missing: list[str]) -> bool:
        """Note the room and say so; False when it was closed while it was made."""
        async with self._place.units() as unit:
            room = await unit.rooms.get(parcel.room or 0)
            ticket = await unit.tickets.get(parcel.ticket or 0)
            if room is None or room.state is not RoomState.WANTED:
                return room is not None and room.room_id == room_id
            room.room_id, room.state = room_id, RoomState.OPEN
            unit.wake("rooms")
            until = f"{room.ends_at:%Y-%m-%d %H:%M} UTC" if room.ends_at else "it is closed"
            await say_in(self._place.work(unit), room, Say(_WELCOME.format(until=until)))
            if ticket is not None:
                words = f"The room is open until {until}; you are invited."
                if missing:
                    words += f" These could not be invited: {', '.join(missing)}."
                await answer_in_thread(self._place.work(unit), ticket, words)
        return True

    async def _close(self, parcel: OutboxItem) -> Outcome:
        room = await self._row(parcel)
        if room is None or room.state is RoomState.CLOSED:
            return Delivered()
        if room.room_id is not None and room.room_id in await self._rooms.joined_rooms():
            await self._empty(parcel, room.room_id)
        await self._closed(parcel)
        return Delivered()

    async def _empty(self, parcel: OutboxItem, room_id: str) -> None:
        async with self._place.units() as unit:
            said = await unit.outbox.sent_to(parcel.room or 0)
        for event_id in said:
            ref = f"{parcel.ref}.{event_id.lstrip('$')[:16]}"
            await self._as_far_as_possible(parcel, self._sender.redact(room_id, event_id, ref))
        own_id = self._rooms.own_id
        for user_id in await self._rooms.present(room_id):
            if user_id != own_id:
                await self._as_far_as_possible(parcel, self._rooms.kick(room_id, user_id))
        await self._rooms.leave(room_id)

    async def _as_far_as_possible(self, parcel: OutboxItem, step: Awaitable[object]) -> None:
        """What is refused for one word or one person must not keep the others there."""
        try:
            await step
        except Rejected as trouble:
            log.warning("room.close.refused", row=parcel.id, reason=str(trouble))

    async def _closed(self, parcel: OutboxItem) -> None:
        async with self._place.units() as unit:
            room = await unit.rooms.get(parcel.room or 0)
            ticket = await unit.tickets.get(parcel.ticket or 0)
            if room is None or room.state is RoomState.CLOSED:
                return
            room.state = RoomState.CLOSED
            await forget_guests(self._place.work(unit), await self._strangers(unit, room))
            room.invited_sealed = None
            room.wrapped_key = None
            if ticket is not None:
                words = "The disposable room is closed: everybody was removed, my words in it redacted."
                await answer_in_thread(self._place.work(unit), ticket, words)

    async def _strangers(self, unit: Unit, room: Room) -> frozenset[str]:
        """The guests who are no agents, and whom no other room awaits."""
        awaited = {guest for other in await unit.rooms.disposable() for guest in invited_to(other).everybody}
        return frozenset(invited_to(room).everybody) - self._agents - awaited

    async def _row(self, parcel: OutboxItem) -> Room | None:
        async with self._place.units() as unit:
            return await unit.rooms.get(parcel.room or 0)


_WELCOME = (
    "This room is for one matter and ends by itself: {until}. Then everybody is removed, "
    "and my words here are taken back. "
    "Clients and homeservers of those who were here may keep copies of what others wrote."
)
