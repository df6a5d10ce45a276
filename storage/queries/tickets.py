# SPDX-License-Identifier: AGPL-3.0-or-later
"""Named queries on tickets."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import selectinload

from storage.models import Link, Side, Tag, Ticket, TicketReference
from storage.queries.base import Queries
from storage.sealing.vault import TagKind, address_tag

REPORT_DIGITS = 8
"""So many digits of a report's id find it."""


@dataclass(frozen=True)
class NewTicket:
    """What a ticket is made of when its first letter is taken in."""

    ref: str
    queue: str
    mailbox: str
    language: str
    language_confidence: float | None
    opened_at: dt.datetime
    confidential: bool
    encryption: str
    signature: str
    kind: str
    contact: str | None
    subject: str
    tails_version: str | None = None
    whisperback_id: str | None = None


class Tickets(Queries):
    """Tickets with their tags and links."""

    async def add(self, new: NewTicket) -> Ticket:
        """Add a ticket with a data key of its own and return it with its number."""
        ticket = Ticket(
            ref=new.ref,
            queue=new.queue,
            mailbox=new.mailbox,
            language=new.language,
            language_confidence=new.language_confidence,
            opened_at=new.opened_at,
            last_public=Side.USER,
            last_public_at=new.opened_at,
            read_up_to=0,
            confidential=new.confidential,
            encryption=new.encryption,
            signature=new.signature,
            kind=new.kind,
            tails_version=new.tails_version,
            whisperback_tag=self._report_tag(new.whisperback_id) if new.whisperback_id else None,
            contact_tag=address_tag(self._vault, new.contact) if new.contact else None,
            reply_tag=self._vault.tag(TagKind.REPLY_TOKEN, self._vault.reply_token(new.ref)),
            tags=[],
            links=[],
        )
        ticket.take_new_key(self._vault)
        ticket.whisperback_id = new.whisperback_id
        ticket.contact = new.contact
        ticket.subject = new.subject
        self._session.add(ticket)
        await self._session.flush()
        return ticket

    async def get(self, number: int, *, lock: bool = False) -> Ticket | None:
        """Return the ticket; with `lock` no other unit can change it until this one ends."""
        query = select(Ticket).where(Ticket.id == number).options(*_WHOLE)
        if lock:
            query = _locked(query)
        return (await self._session.execute(query)).scalar_one_or_none()

    async def by_event(self, event_id: str, *, lock: bool = False) -> Ticket | None:
        """Return the ticket whose announcement (the root of its thread) is this event."""
        query = select(Ticket).where(Ticket.event_id == event_id).options(*_WHOLE)
        if lock:
            query = _locked(query)
        return (await self._session.execute(query)).scalar_one_or_none()

    async def by_reply_tag(self, tag: str) -> Ticket | None:
        """Return the ticket to whose reply address a letter came."""
        query = select(Ticket).where(Ticket.reply_tag == tag).options(*_WHOLE)
        query = _locked(query)
        return (await self._session.execute(query)).scalar_one_or_none()

    async def existing(self, numbers: Iterable[int]) -> tuple[int, ...]:
        """Return those numbers that tickets have, in the order given."""
        wanted = tuple(numbers)
        query = select(Ticket.id).where(Ticket.id.in_(wanted), Ticket.wrapped_key.is_not(None))
        found = set((await self._session.scalars(query)).all()) if wanted else set()
        return tuple(number for number in wanted if number in found)

    async def marked(self, tags: Sequence[str]) -> Sequence[int]:
        """Return the numbers of tickets that have one of these marks, oldest first."""
        if not tags:
            return ()
        query = (
            select(TicketReference.ticket_id)
            .where(TicketReference.tag.in_(tags))
            .distinct()
            .order_by(TicketReference.ticket_id)
        )
        return (await self._session.scalars(query)).all()

    async def mark(self, ticket: Ticket, tags: Sequence[str]) -> None:
        """Remember marks of a ticket: what letters are known by to belong to it."""
        for tag in tags:
            if await self._session.get(TicketReference, (ticket.id, tag)) is None:
                self._session.add(TicketReference(ticket_id=ticket.id, tag=tag))

    async def by_whisperback_id(self, begin: str) -> Sequence[Ticket]:
        """Return the tickets whose report's id begins so, oldest first; at least REPORT_DIGITS are needed."""
        query = select(Ticket).where(
            Ticket.whisperback_tag == self._report_tag(begin), Ticket.wrapped_key.is_not(None)
        )
        query = query.options(*_WHOLE).order_by(Ticket.id)
        found = (await self._session.execute(query)).scalars().all()
        return [ticket for ticket in found if (ticket.whisperback_id or "").startswith(begin)]

    def _report_tag(self, report_id: str) -> str:
        return self._vault.tag(TagKind.WHISPERBACK, report_id[:REPORT_DIGITS])

    async def older_than(self, number: int | None, limit: int) -> Sequence[int]:
        """Return the numbers of the newest tickets that are kept, of those below `number` or of all."""
        query = select(Ticket.id).where(Ticket.wrapped_key.is_not(None))
        if number is not None:
            query = query.where(Ticket.id < number)
        return (await self._session.scalars(query.order_by(Ticket.id.desc()).limit(limit))).all()

    async def open_in(self, queue: str | None) -> Sequence[Ticket]:
        """Return the tickets that are not closed, oldest first; of all queues when `queue` is None."""
        query = select(Ticket).where(Ticket.closed_at.is_(None)).options(*_WHOLE).order_by(Ticket.id)
        if queue is not None:
            query = query.where(Ticket.queue == queue)
        return (await self._session.execute(query)).scalars().all()

    async def left_in(self, queue: str | None) -> Sequence[Ticket]:
        """Return the open tickets in which the user had the last word, longest waiting first."""
        query = select(Ticket).where(Ticket.closed_at.is_(None), Ticket.last_public == Side.USER)
        if queue is not None:
            query = query.where(Ticket.queue == queue)
        query = query.options(*_WHOLE).order_by(Ticket.last_public_at, Ticket.id)
        return (await self._session.execute(query)).scalars().all()

    async def untag(self, ticket: Ticket, name: str) -> bool:
        """Take a tag off; False when it was not there."""
        found = next((tag for tag in ticket.tags if tag.name == name), None)
        if found is not None:
            ticket.tags.remove(found)
        return found is not None

    async def tag(self, ticket: Ticket, name: str) -> bool:
        """Put a tag on; False when it was there."""
        if any(tag.name == name for tag in ticket.tags):
            return False
        ticket.tags.append(Tag(name=name))
        await self._session.flush()
        return True


def _locked(query: Select[Any]) -> Select[Any]:
    """FOR NO KEY UPDATE, which lets rows that refer to the ticket be added meanwhile.

    A ticket that this unit read before the lock is read again: another unit may have changed it since.
    """
    return query.with_for_update(of=Ticket, key_share=True).execution_options(populate_existing=True)


_WHOLE = (selectinload(Ticket.tags), selectinload(Ticket.links).selectinload(Link.problem))
