# SPDX-License-Identifier: AGPL-3.0-or-later
"""Files that leave with an answer: the table, and its named queries."""

from collections.abc import Sequence

from sqlalchemy import or_, select
from sqlalchemy.orm import joinedload, undefer

from storage.models import Message, OutgoingFile, ReplyState, Ticket
from storage.queries.base import Queries


class OutgoingFiles(Queries):
    """Files, each with its ticket, whose key it is sealed with; their content only where it is asked for."""

    async def add(self, enclosure: OutgoingFile) -> OutgoingFile:
        """Add a file whose sealed attributes are set afterwards; return it with its id."""
        self._session.add(enclosure)
        await self._session.flush()
        return enclosure

    async def get(self, enclosure_id: int) -> OutgoingFile | None:
        """Return a file with its ticket."""
        query = (
            select(OutgoingFile)
            .where(OutgoingFile.id == enclosure_id)
            .options(joinedload(OutgoingFile.ticket))
            .execution_options(populate_existing=True)
        )
        return (await self._session.execute(query)).scalar_one_or_none()

    async def waiting(self, ticket: Ticket) -> Sequence[OutgoingFile]:
        """Return a ticket's files that no answer has taken along yet, in the order of asking."""
        query = (
            select(OutgoingFile)
            .where(OutgoingFile.ticket_id == ticket.id, OutgoingFile.message_id.is_(None))
            .options(joinedload(OutgoingFile.ticket))
            .order_by(OutgoingFile.id)
        )
        return (await self._session.scalars(query)).all()

    async def of(self, message: Message, *, contents: bool = False) -> Sequence[OutgoingFile]:
        """Return the files of an answer, in the order of asking; with `contents` what is in them, too."""
        query = (
            select(OutgoingFile)
            .where(OutgoingFile.message_id == message.id)
            .options(joinedload(OutgoingFile.ticket))
            .order_by(OutgoingFile.id)
        )
        if contents:
            query = query.options(undefer(OutgoingFile.content_sealed)).execution_options(
                populate_existing=True
            )
        return (await self._session.scalars(query)).all()

    async def by_event(self, event_id: str) -> Sequence[OutgoingFile]:
        """Return the files that a Matrix event brought, one for each answer, unless they have left."""
        query = select(OutgoingFile).where(OutgoingFile.event_id == event_id)
        query = query.options(joinedload(OutgoingFile.ticket)).order_by(OutgoingFile.id)
        return (await self._session.scalars(query)).all()

    async def any_fetched(self) -> bool:
        """Tell whether a file is being fetched."""
        query = select(OutgoingFile.id).where(OutgoingFile.size.is_(None)).limit(1)
        return await self._session.scalar(query) is not None

    async def besides_leaving(self, ticket: Ticket) -> Sequence[OutgoingFile]:
        """Return a ticket's files without those of answers that are on their way."""
        leaving = select(Message.id).where(
            Message.ticket_id == ticket.id, Message.state.in_((ReplyState.LEAVING, ReplyState.SENDING))
        )
        is_staying = or_(OutgoingFile.message_id.is_(None), OutgoingFile.message_id.not_in(leaving))
        query = select(OutgoingFile).where(OutgoingFile.ticket_id == ticket.id, is_staying)
        return (await self._session.scalars(query)).all()

    async def drop(self, *enclosures: OutgoingFile) -> None:
        """Forget files for good."""
        for enclosure in enclosures:
            await self._session.delete(enclosure)
        await self._session.flush()
