# SPDX-License-Identifier: AGPL-3.0-or-later
"""Disposable rooms: wanted, open for a while, and ended so that nothing is left."""

import datetime as dt
import json
from dataclasses import dataclass

from desk.context import Work
from desk.outbox.kinds import Kind
from desk.outbox.posts import lane_of, put
from desk.world import Refusal
from storage.models import Room, RoomPurpose, RoomState, Ticket
from storage.sealing.columns import to_json

OPEN = Kind("room.open")
CLOSE = Kind("room.close")


@dataclass(frozen=True)
class RoomRequest:
    """A room that an agent asks for."""

    agent: str
    life: dt.timedelta | None
    """None: as long as the house says."""
    guests: tuple[str, ...]
    """Matrix user ids."""


@dataclass(frozen=True)
class Invited:
    """Whom an agent invited into a disposable room, as Matrix user ids."""

    outsiders: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    """They were agents then; who is no agent any more does not belong there."""

    @property
    def everybody(self) -> tuple[str, ...]:
        """Return all of them."""
        return self.outsiders + self.agents


def invited_to(room: Room) -> Invited:
    """Return who was invited into a room; of older rooms it is not known who of them was an agent."""
    kept = json.loads(room.invited) if room.invited else []
    if isinstance(kept, list):
        return Invited(tuple(kept))
    return Invited(tuple(kept["outsiders"]), tuple(kept["agents"]))


async def open_room(work: Work, ticket: Ticket, wish: RoomRequest) -> str:
    """Have a room made for a ticket; return what to say. Raises Refusal when it cannot be."""
    life = work.config.rooms.life if wish.life is None else wish.life
    if not dt.timedelta() < life <= work.config.rooms.longest:
        longest = work.config.rooms.longest // dt.timedelta(hours=1)
        raise Refusal(f"A disposable room lives for some time, at most {longest} h.")
    if await work.unit.rooms.of_ticket(ticket.id) is not None:
        raise Refusal(f"Ticket {ticket.id} has a disposable room. `!room close` ends it.")
    room = Room(
        ref=work.world.token(),
        purpose=RoomPurpose.DISPOSABLE,
        state=RoomState.WANTED,
        ticket_id=ticket.id,
        opened_by=wish.agent,
        ends_at=work.world.now() + life,
    )
    guests = [guest for guest in dict.fromkeys(wish.guests) if guest != wish.agent]
    agents = work.config.agents
    invited = {
        "outsiders": [guest for guest in guests if guest not in agents],
        "agents": [guest for guest in guests if guest in agents],
    }
    await work.unit.rooms.add(room, to_json(invited))
    await put(work, OPEN, lane_of(room), room=room.id, ticket=ticket.id)
    return "The room is being made; the invitations follow."


async def close_room(work: Work, room: Room) -> str:
    """End a room; return what to say. Raises Refusal when it is ending already."""
    if room.state in {RoomState.CLOSING, RoomState.CLOSED}:
        raise Refusal("This room is being closed already.")
    room.state = RoomState.CLOSING
    await put(work, CLOSE, lane_of(room), room=room.id, ticket=room.ticket_id)
    return "The room is being closed: everybody is removed and my words are taken back."


async def end_rooms(work: Work) -> dt.datetime | None:
    """End the rooms whose time has come; return when the next one's comes.

    No room lives longer from now on than any may, also where the clock was set back since it was opened.
    """
    now = work.world.now()
    for room in await work.unit.rooms.ended(now):
        await close_room(work, room)
    ends = []
    for room in await work.unit.rooms.ending_after(now):
        room.ends_at = min(room.ends_at or now, now + work.config.rooms.longest)
        ends.append(room.ends_at)
    return min(ends, default=None)
