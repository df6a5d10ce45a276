# SPDX-License-Identifier: AGPL-3.0-or-later
"""Events that come before their turn: they seem to hang on an announcement whose id is not known yet."""

import datetime as dt

from commands.event import EventKind, RoomEvent
from desk.outbox.posts import is_announcing
from desk.tickets import threads
from storage.models import Event
from storage.unit import Unit

EARLY_FOR = dt.timedelta(minutes=5)
"""How long an event may wait for the announcement that it seems to belong to."""
_LONGEST_CHAIN = 20
"""Answers to answers are followed so far."""


class EarlyEvents:
    """Those of one look at the journal, which goes from the oldest event to newer ones.

    An event is early where the homeserver's answer to an announcement was lost, or we stopped before we
    wrote it down. Nothing overtakes it in its thread; what is said elsewhere does.
    """

    def __init__(self, unit: Unit, now: dt.datetime) -> None:
        self._unit = unit
        self._now = now
        self._waiting: set[str | None] = set()
        """The events that wait, and the unknown ones on which they hang."""
        self._announcing: dict[str, bool] = {}
        """By room, as are the ends of chains by event: asked once in a look."""
        self._ends: dict[str, tuple[str, bool]] = {}

    async def has(self, row: Event, event: RoomEvent) -> bool:
        """Tell whether an event has to wait; each is asked for once, in the order of hearing."""
        root = event.thread_root or event.relates_to
        end, is_known = await self._end_of(root) if root is not None else (None, True)
        is_behind = not self._waiting.isdisjoint({event.edits, end})
        if not is_behind and (is_known or not await self._may_be_early(row, event)):
            return False
        self._waiting.update({event.event_id, end} - {None})
        return True

    async def _may_be_early(self, row: Event, event: RoomEvent) -> bool:
        # What is removed is a file, or nothing of ours: it waits for no announcement.
        # Both ways: it seems to come from the future where the clock was set back.
        if event.kind is EventKind.REDACTION or abs(self._now - row.heard_at) > EARLY_FOR:
            return False
        if row.room_id not in self._announcing:
            room = await self._unit.rooms.by_room_id(row.room_id)
            self._announcing[row.room_id] = room is not None and await is_announcing(self._unit, room)
        return self._announcing[row.room_id]

    async def _end_of(self, event_id: str) -> tuple[str, bool]:
        if event_id not in self._ends:
            self._ends[event_id] = await _end_of(self._unit, event_id)
        return self._ends[event_id]


async def _end_of(unit: Unit, event_id: str) -> tuple[str, bool]:
    """Return the event on which all hangs that this one answers, and whether we know where that one stands.

    If so, it hangs on no announcement whose id we have yet to learn.
    """
    for _ in range(_LONGEST_CHAIN):
        if await threads.of_event(unit, event_id) or await unit.outbox.by_event(event_id):
            return event_id, True
        heard = await unit.journal.by_event(event_id)
        if heard is None:
            return event_id, False
        answers = heard.thread_root or heard.target
        if answers is None:
            return event_id, True
        event_id = answers
    return event_id, True
