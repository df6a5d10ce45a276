# SPDX-License-Identifier: AGPL-3.0-or-later
"""Named queries on the outbox."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, case, func, or_, select

from storage.models import ANNOUNCEMENT, Outbox, OutboxState
from storage.queries.base import Queries

_UNFINISHED = (OutboxState.PENDING, OutboxState.SENDING)


@dataclass(frozen=True)
class Patience:
    """How long rows wait between two tries, by the names of their kinds."""

    longest: Mapping[str, dt.timedelta]
    may_wait: Collection[str] = ()
    """Rows of these kinds may be due later before they are tried at all."""


def _is_due(now: dt.datetime, patience: Patience) -> ColumnElement[bool]:
    """A row never tried, or due later than any pause can last, shows that the clock was set back since."""
    each = [(Outbox.kind == kind, now + longest) for kind, longest in patience.longest.items()]
    is_untried = and_(Outbox.tries == 0, Outbox.kind.not_in(patience.may_wait))
    waited = or_(Outbox.due_at <= now, is_untried, Outbox.due_at > case(*each, else_=now))
    return and_(Outbox.state == OutboxState.PENDING, waited)


class OutboxRows(Queries):
    """What must leave the house, in lanes that keep their order."""

    def add(self, row: Outbox, payload: str | None) -> Outbox:
        """Add a row, its payload sealed with a key of its own; it has its id after the next flush."""
        row.take_new_key(self._vault)
        row.payload = payload
        self._session.add(row)
        self._woken.add("outbox")
        return row

    async def heads(self, now: dt.datetime, patience: Patience) -> Sequence[Outbox]:
        """Return the first unfinished row of each lane, where it is due."""
        first = (
            select(func.min(Outbox.id).label("id"))
            .where(Outbox.state.in_(_UNFINISHED))
            .group_by(Outbox.lane)
            .subquery()
        )
        query = (
            select(Outbox)
            .join(first, Outbox.id == first.c.id)
            .where(_is_due(now, patience))
            .order_by(Outbox.id)
        )
        return (await self._session.execute(query)).scalars().all()

    async def head_of(self, lane: str, now: dt.datetime, patience: Patience) -> Outbox | None:
        """Return the first unfinished row of one lane, when it is due."""
        query = (
            select(Outbox, _is_due(now, patience))
            .where(Outbox.lane == lane, Outbox.state.in_(_UNFINISHED))
            .order_by(Outbox.id)
            .limit(1)
        )
        found = (await self._session.execute(query)).one_or_none()
        return found[0] if found is not None and found[1] else None

    async def next_due(self, now: dt.datetime) -> dt.datetime | None:
        """Return when the next row that was postponed beyond `now` is due."""
        query = select(func.min(Outbox.due_at)).where(
            Outbox.state == OutboxState.PENDING, Outbox.due_at > now
        )
        return (await self._session.execute(query)).scalar_one()

    async def get(self, row_id: int) -> Outbox | None:
        """Return one row."""
        return await self._session.get(Outbox, row_id)

    async def by_event(self, event_id: str) -> Outbox | None:
        """Return the row of which this Matrix event came."""
        query = select(Outbox).where(Outbox.event_id == event_id).limit(1)
        return (await self._session.execute(query)).scalar_one_or_none()

    async def newest(self, kind: str, room: int) -> Outbox | None:
        """Return the newest row of a kind for a room, whatever became of it."""
        query = select(Outbox).where(Outbox.kind == kind, Outbox.room == room)
        return (await self._session.scalars(query.order_by(Outbox.id.desc()).limit(1))).one_or_none()

    async def announcements(self, ticket: int) -> Sequence[Outbox]:
        """Return the rows that announce a ticket, oldest first: one for each room it was moved to."""
        query = (
            select(Outbox).where(Outbox.ticket_id == ticket, Outbox.kind == ANNOUNCEMENT).order_by(Outbox.id)
        )
        return (await self._session.execute(query)).scalars().all()

    async def pending(
        self, kind: str, *, ticket: int | None = None, message: int | None = None
    ) -> Sequence[Outbox]:
        """Return the rows of a kind that wait to leave, for a ticket or for a message."""
        wanted = ((Outbox.ticket_id, ticket), (Outbox.message_id, message))
        query = select(Outbox).where(Outbox.kind == kind, Outbox.state == OutboxState.PENDING)
        query = query.where(*(column == value for column, value in wanted if value is not None))
        return (await self._session.scalars(query.order_by(Outbox.id))).all()

    async def is_pending(self, kind: str, lanes: Collection[str]) -> bool:
        """Tell whether a row of a kind waits to leave in one of these lanes."""
        query = select(Outbox.id).where(
            Outbox.lane.in_(lanes), Outbox.state == OutboxState.PENDING, Outbox.kind == kind
        )
        return await self._session.scalar(query.limit(1)) is not None

    async def of_message(self, kind: str, message: int) -> Sequence[Outbox]:
        """Return the rows of a kind for a message, whatever became of them."""
        query = select(Outbox).where(Outbox.kind == kind, Outbox.message_id == message)
        return (await self._session.scalars(query.order_by(Outbox.id))).all()

    async def in_state(self, *states: OutboxState) -> Sequence[Outbox]:
        """Return the rows in these states, oldest first."""
        query = select(Outbox).where(Outbox.state.in_(states)).order_by(Outbox.id)
        return (await self._session.execute(query)).scalars().all()

    async def waiting_for(self, room: int) -> Sequence[Outbox]:
        """Return the rows that wait to be said in a room, oldest first."""
        query = select(Outbox).where(Outbox.room == room, Outbox.state == OutboxState.PENDING)
        return (await self._session.execute(query.order_by(Outbox.id))).scalars().all()

    async def sent_to(self, room: int) -> Sequence[str]:
        """Return the ids of all events that were sent to a room."""
        query = select(Outbox.event_id).where(Outbox.room == room, Outbox.event_id.is_not(None))
        return [event for event in (await self._session.execute(query)).scalars() if event is not None]
