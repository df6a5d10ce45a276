# SPDX-License-Identifier: AGPL-3.0-or-later
"""Named queries on messages."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, bindparam, case, func, select
from sqlalchemy.orm import joinedload, selectinload

from storage.models import OPEN_REPLY, Letter, Link, Message, MessageKind, ReplyState, Ticket
from storage.queries.base import Queries
from storage.sealing.vault import TagKind

_MOST_WITH_ONE_ID = 20
# Built once, as every letter asks so: to build it takes longer than to run it.
_WITH_ONE_OF = (
    select(Message)
    .where(Message.message_id_tag.in_(bindparam("tags", expanding=True)))
    .order_by(case((Message.kind == MessageKind.OUT, 0), else_=1), Message.id.desc())
    .limit(_MOST_WITH_ONE_ID)
)


class Messages(Queries):
    """Messages of tickets; each comes with its ticket, whose key it is sealed with."""

    async def add(self, message: Message) -> Message:
        """Add a message whose sealed attributes are set afterwards; return it with its id."""
        self.keep(message)
        await self._session.flush()
        return message

    def keep(self, message: Message) -> None:
        """Add a message; it has its id after the next flush, at the latest when the unit ends."""
        self._session.add(message)

    async def get(self, message_id: int, *, lock: bool = False) -> Message | None:
        """Return the message with its ticket; with `lock` no other unit can change it meanwhile."""
        query = select(Message).where(Message.id == message_id).options(_WITH_TICKET)
        if lock:
            query = _locked(query)
        return (await self._session.execute(query)).unique().scalar_one_or_none()

    async def of(self, ticket: Ticket) -> Sequence[Message]:
        """Return all that was said in a ticket, oldest first."""
        query = (
            select(Message).where(Message.ticket_id == ticket.id).options(_WITH_TICKET).order_by(Message.id)
        )
        return (await self._session.execute(query)).unique().scalars().all()

    async def of_letter(self, letter_id: int) -> int | None:
        """Return the id of the message that a letter became, if it became one."""
        query = select(Message.id).where(Message.letter_id == letter_id).order_by(Message.id).limit(1)
        return await self._session.scalar(query)

    async def newest_in(self, ticket: Ticket, *, until: dt.datetime | None = None) -> int:
        """Return the id of the newest message from the user (that had come by `until`); 0 without any."""
        query = select(func.max(Message.id)).where(
            Message.ticket_id == ticket.id, Message.kind == MessageKind.IN
        )
        if until is not None:
            query = query.where(Message.at <= until)
        return (await self._session.execute(query)).scalar_one() or 0

    async def by_message_id(self, message_ids: Sequence[str]) -> Sequence[Message]:
        """Return messages with one of these RFC 5322 Message-IDs, the desk's own first, then the newest.

        Anybody can send many letters with one Message-ID, so no more than a few are returned.
        """
        tags = [self.message_id_tag(each) for each in message_ids]
        return (await self._session.scalars(_WITH_ONE_OF, {"tags": tags})).all()

    async def automatic_since(self, since: dt.datetime, contact_tag: str | None = None) -> int:
        """Return how many mails that no agent wrote were made since then, for one contact or for all."""
        query = select(func.count()).select_from(Message).join(Ticket, Message.ticket_id == Ticket.id)
        query = query.where(Message.kind == MessageKind.OUT, Message.author.is_(None), Message.at > since)
        if contact_tag is not None:
            query = query.where(Ticket.contact_tag == contact_tag)
        return (await self._session.execute(query)).scalar_one()

    async def shut(self, encryption: str) -> Sequence[tuple[int, int]]:
        """Return ticket and message of each letter that was encrypted like this and is kept, oldest first."""
        # What came before this was noted at each message was noted at its ticket, of the first letter.
        noted = func.coalesce(Message.encryption, Ticket.encryption)
        query = (
            select(Message.ticket_id, Message.id)
            .join(Ticket, Message.ticket_id == Ticket.id)
            .join(Letter, Message.letter_id == Letter.id)
            .where(Message.kind == MessageKind.IN, noted == encryption, Letter.wrapped_key.is_not(None))
            .order_by(Message.id)
        )
        return [(row[0], row[1]) for row in await self._session.execute(query)]

    def message_id_tag(self, message_id: str) -> str:
        """Return the tag under which a Message-ID is found again."""
        return self._vault.tag(TagKind.MESSAGE_ID, message_id.strip())

    async def open_reply(self, ticket: Ticket, *, lock: bool = False) -> Message | None:
        """Return the answer in this ticket that is still held, if there is one; `lock` as in `get`."""
        query = (
            select(Message)
            .where(Message.ticket_id == ticket.id, Message.state.in_(OPEN_REPLY))
            .options(_WITH_TICKET)
            .order_by(Message.id.desc())
            .limit(1)
        )
        if lock:
            query = _locked(query)
        return (await self._session.execute(query)).unique().scalar_one_or_none()

    async def asked_by(self, event_id: str) -> Message | None:
        """Return the newest answer that this Matrix event asked for, in whichever version of its words."""
        query = select(Message).where(Message.asked_by == event_id).options(_WITH_TICKET)
        query = query.order_by(Message.id.desc()).limit(1)
        return (await self._session.execute(query)).unique().scalar_one_or_none()

    async def due_replies(self, now: dt.datetime) -> Sequence[int]:
        """Return the ids of answers whose hold has ended."""
        query = (
            select(Message.id)
            .where(Message.state == ReplyState.HELD, Message.hold_until <= now)
            .order_by(Message.id)
        )
        return (await self._session.execute(query)).scalars().all()

    async def held_until_after(self, now: dt.datetime) -> Sequence[int]:
        """Return the ids of answers whose hold goes on, the shortest first."""
        query = (
            select(Message.id)
            .where(Message.state == ReplyState.HELD, Message.hold_until > now)
            .order_by(Message.hold_until)
        )
        return (await self._session.execute(query)).scalars().all()

    async def next_hold(self) -> dt.datetime | None:
        """Return when the first hold ends."""
        query = select(func.min(Message.hold_until)).where(Message.state == ReplyState.HELD)
        return (await self._session.execute(query)).scalar_one()


def _locked(query: Select[Any]) -> Select[Any]:
    """As for tickets: what this unit read before the lock is read again."""
    return query.with_for_update(of=Message, key_share=True).execution_options(populate_existing=True)


_WITH_TICKET = joinedload(Message.ticket).options(
    selectinload(Ticket.tags), selectinload(Ticket.links).selectinload(Link.problem)
)
