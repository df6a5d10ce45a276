# SPDX-License-Identifier: AGPL-3.0-or-later
"""Named queries on what became of letters."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, exists, func, or_, select

from storage.models import Letter, LetterState, Message, MessageKind
from storage.queries.base import Queries

_MOST_NAMED = 50


@dataclass(frozen=True)
class Census:
    """The letters of a span of time. `lost` has numbers of letters, and at most 50 of them."""

    received: int
    counts: dict[LetterState, int]
    """Those that left their trace, by state."""
    lost: tuple[int, ...]
    """Those that did not."""
    orphans: int
    """Messages of users that came with a letter which is not there any more."""


class Accounting(Queries):
    """Whether each letter left the trace that its state speaks of."""

    async def census(self, since: dt.datetime, until: dt.datetime) -> Census:
        """Count the letters that came from `since` up to `until`."""
        in_span = and_(Letter.received_at >= since, Letter.received_at < until)
        # Not in the condition: it would have SQLite look at all letters of a state.
        is_traced = _traced().label("is_traced")
        query = select(Letter.state, is_traced, func.count()).where(in_span)
        rows = (await self._session.execute(query.group_by(Letter.state, is_traced))).all()
        lost = select(Letter.id).where(in_span, ~_traced()).order_by(Letter.id).limit(_MOST_NAMED)
        incoming = and_(
            Message.author.is_(None),  # for the index
            Message.kind == MessageKind.IN,
            Message.at >= since,
            Message.at < until,
        )
        orphans = select(func.count()).select_from(Message).where(incoming, Message.letter_id.is_(None))
        return Census(
            received=sum(count for _, _, count in rows),
            counts={state: count for state, traced, count in rows if traced},
            lost=tuple((await self._session.scalars(lost)).all()),
            orphans=await self._session.scalar(orphans) or 0,
        )

    async def waiting_since_before(self, moment: dt.datetime) -> Sequence[int]:
        """Return up to 50 letters that came before a moment and still wait, oldest first."""
        query = (
            select(Letter.id)
            .where(Letter.state == LetterState.NEW, Letter.received_at < moment)
            .order_by(Letter.id)
            .limit(_MOST_NAMED)
        )
        return (await self._session.scalars(query)).all()

    async def newest_arrival(self, until: dt.datetime) -> dt.datetime | None:
        """Return when the newest letter came, by whichever way; None when there is none by then."""
        newest: dt.datetime | None = await self._session.scalar(
            select(func.max(Letter.received_at)).where(Letter.received_at <= until)
        )
        return newest


def _traced() -> ColumnElement[bool]:
    """A message in a ticket, a ticket that was told, a reason, or a place among those that wait."""
    in_ticket = exists().where(Message.letter_id == Letter.id)
    # Of a letter that was forgotten with its ticket nothing is left, and that is right.
    forgotten = Letter.wrapped_key.is_(None)
    return or_(
        Letter.state == LetterState.NEW,
        and_(Letter.state == LetterState.TICKET, or_(in_ticket, forgotten)),
        and_(Letter.state == LetterState.FOLLOW_UP, or_(in_ticket, Letter.ticket_id.is_not(None), forgotten)),
        and_(
            Letter.state.in_((LetterState.QUARANTINED, LetterState.DROPPED)),
            func.coalesce(Letter.reason, "") != "",
        ),
    )
