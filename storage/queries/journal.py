# SPDX-License-Identifier: AGPL-3.0-or-later
"""Named queries on the journal of Matrix events."""

from collections.abc import Collection, Sequence

from sqlalchemy import select

from storage.models import Event, EventState
from storage.queries.base import Queries
from storage.sealing.vault import TagKind


class Journal(Queries):
    """Events that were heard; the unique event id makes each count once."""

    async def add(self, event: Event, content: str, *, sender: str, place: str = "") -> bool:
        """Journal an event, content and sender sealed; False when it was journalled and readable before.

        `place` is where its words stand in the sender's stream of keys, if they were encrypted.

        An event that could not be decrypted at first takes its content and its turn now, unless its sender
        was asked to send it again: then it would count twice.
        """
        known = await self._session.scalar(
            select(Event).where(Event.event_id == event.event_id).with_for_update()
        )
        if known is None:
            event.ref = self._vault.tag(TagKind.EVENT, event.event_id)
            event.sender_tag = self._sender_tag(sender)
            event.take_new_key(self._vault)
            event.sender, event.content = sender, content
            self._session.add(event)
        elif known.state is EventState.UNDECRYPTABLE and event.state is EventState.NEW:
            known.content = content
            known.state = EventState.NEW
            known.take_place_of(event)
        else:
            # A key that came after the sender was asked to send again tells the place all the same.
            known.place_tag = known.place_tag or self._tag(place)
            return False
        (known or event).place_tag = self._tag(place)
        self._woken.add("journal")
        return True

    async def note(self, event: Event, *, sender: str, place: str = "") -> None:
        """Journal that something was said that nobody has to act on: where and by whom, but no word of it."""
        known = await self._session.scalar(
            select(Event).where(Event.event_id == event.event_id).with_for_update()
        )
        if known is None:
            event.ref = self._vault.tag(TagKind.EVENT, event.event_id)
            event.sender_tag = self._sender_tag(sender)
            event.place_tag = self._tag(place)
            event.finish(EventState.DONE)
            self._session.add(event)
        elif known.state is EventState.UNDECRYPTABLE:
            known.take_place_of(event)
            known.place_tag = self._tag(place)
            known.finish(EventState.DONE)

    async def is_replay(self, event_id: str, place: str) -> bool:
        """Whether another event with these very words was journalled; this one then waits for nothing."""
        if not place:
            return False
        holder = await self._session.scalar(select(Event.event_id).where(Event.place_tag == self._tag(place)))
        if holder in (None, event_id):
            return False
        known = await self._session.scalar(select(Event).where(Event.event_id == event_id).with_for_update())
        if known is not None and known.state is EventState.UNDECRYPTABLE:
            known.finish(EventState.DONE)
        return True

    async def take_place(self, event: Event, place: str) -> None:
        """Let nothing else count that stands at this place, unless something does already."""
        if place and not await self.is_replay(event.event_id, place):
            event.place_tag = self._tag(place)

    def _sender_tag(self, sender: str) -> str:
        return self._vault.tag(TagKind.SENDER, sender)

    def _tag(self, place: str) -> str | None:
        return self._vault.tag(TagKind.PLACE, place) if place else None

    async def known(self, event_ids: Collection[str]) -> frozenset[str]:
        """Return which of these events are journalled."""
        query = select(Event.event_id).where(Event.event_id.in_(event_ids))
        return frozenset((await self._session.execute(query)).scalars())

    async def by_event(self, event_id: str, *, lock: bool = False) -> Event | None:
        """Return the journalled event of this id; with `lock` no other unit can change it meanwhile."""
        query = select(Event).where(Event.event_id == event_id)
        if lock:
            query = query.with_for_update().execution_options(populate_existing=True)
        return (await self._session.execute(query)).scalar_one_or_none()

    async def is_edit_unread(self, event_id: str) -> bool:
        """Whether the newest edit of an event by its author is one that cannot be read."""
        original = await self.by_event(event_id)
        unread = (EventState.UNDECRYPTABLE, EventState.HINTED)
        # First those of a state, of which there are few.
        closed = await self._session.scalars(
            select(Event).where(Event.state.in_(unread), Event.edits == event_id).order_by(Event.id)
        )
        theirs = [each.id for each in closed if original is not None and each.is_change_of(original)]
        if original is None or not theirs:
            return False
        newer = select(Event.id).where(
            Event.id > theirs[-1], Event.edits == event_id, Event.sender_tag == original.sender_tag
        )
        return await self._session.scalar(newer.limit(1)) is None

    async def next_new(self, *, after: int = 0) -> Event | None:
        """Return the oldest event that nobody has acted on, of those behind the row `after`."""
        query = select(Event).where(Event.state == EventState.NEW, Event.id > after)
        return (await self._session.scalars(query.order_by(Event.id).limit(1))).one_or_none()

    async def get(self, row_id: int) -> Event | None:
        """Return one journalled event."""
        return await self._session.get(Event, row_id)

    async def undecryptable(self) -> Sequence[Event]:
        """Return events that still cannot be read, and nobody was told."""
        query = select(Event).where(Event.state == EventState.UNDECRYPTABLE)
        return (await self._session.execute(query)).scalars().all()
