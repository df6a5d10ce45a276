# SPDX-License-Identifier: AGPL-3.0-or-later
"""Keeps what a sync brought: commands and reactions in our rooms, with the token, in one transaction."""

import asyncio
import datetime as dt
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import structlog

from bot.events.events import Batch, Membership, Tombstone, Undecryptable
from bot.sync.paging import Backfill, Known
from commands.event import EventKind, Json, RoomEvent
from commands.grammar.spelling import is_command
from desk.context import Workplace
from desk.outbox.posts import CANCEL_KEY, CLAIM_KEY, SEND_KEY, Say, say_in, tell_operators
from desk.rooms.names import name_of
from desk.search.pages import BACK_KEY, NEXT_KEY
from storage.models import Came, Event, EventState, Room, RoomPurpose
from storage.sealing.columns import to_json
from storage.unit import Unit

log = structlog.get_logger()

SYNC_TOKEN = "sync token"  # noqa: S105  (a place in a stream, no secret)
OLDEST = dt.timedelta(days=1)
"""How far back commands are looked for when the sync token is lost."""
TOO_OLD = dt.timedelta(minutes=10)
_TOO_FAR = (
    "I do not know any more where I stopped reading, and could not go back far enough in {count}. What was "
    "said there and has no answer has to be said again; this is told there too."
)
_REPLAYED = (
    "The homeserver has delivered an encrypted message a second time, as if it were new. I do not act on it. "
    "This hardly happens by chance: ask whoever runs the homeserver. More of them are only in the log "
    "(`event-replayed`)."
)
_GAP = "I was away for long and may have missed commands; please repeat what I have not answered."
_GONE = {"leave": "removed from", "ban": "banned from"}
_LOOKS = dict.fromkeys((0xFE0E, 0xFE0F, *range(0x1F3FB, 0x1F400)))
"""Variation selectors and skin tones: which of them comes along depends on the client and its user."""
_BUTTONS = frozenset({CLAIM_KEY, SEND_KEY, CANCEL_KEY, BACK_KEY, NEXT_KEY})


@dataclass(frozen=True)
class Unsure:
    """A room in which somebody may have come while we were away."""

    room_id: str


RoomChange = Membership | Tombstone | Unsure


class EventJournal:
    """The `keep` of a Syncer."""

    def __init__(self, place: Workplace, *, own_id: str) -> None:
        self._place = place
        self._own_id = own_id
        self._told_replays = False
        self.changes: asyncio.Queue[RoomChange] = asyncio.Queue()

    async def keep(self, batch: Batch) -> None:
        """Commit the batch and its token together."""
        async with self._place.units() as unit:
            rooms = await unit.rooms.all_open()
            ours = {room.room_id for room in rooms}
            among_agents = {room.room_id for room in rooms if room.purpose is not RoomPurpose.DISPOSABLE}
            replayed = list(batch.replayed)
            for heard in batch.heard:
                matters = heard.room_id in ours and await self._matters(unit, heard)
                if not matters and not (heard.room_id in among_agents and _is_talk(heard)):
                    continue
                if await unit.journal.is_replay(heard.event_id, heard.place):
                    replayed.append(heard.event_id)
                elif matters:
                    await self._add(unit, heard, recovered=batch.recovered)
                else:
                    row = self._row(heard, EventState.DONE)
                    await unit.journal.note(row, sender=heard.sender, place=heard.place)
            for closed in batch.undecryptable:
                if closed.room_id in ours and closed.sender != self._own_id:
                    await self._add_closed(unit, closed)
            await self._tell_gaps(unit, [room for room in rooms if room.room_id in batch.gaps], batch)
            await self._tell_replays(unit, replayed)
            await self._tell_put_out(unit, rooms, batch)
            await unit.facts.set(SYNC_TOKEN, batch.token)
        for change in self._changes(batch, ours):
            self.changes.put_nowait(change)

    def _changes(self, batch: Batch, ours: Collection[str | None]) -> Iterator[RoomChange]:
        """Invitations to us, strangers perhaps, rooms that were replaced, rooms of which we missed a part."""
        for change in batch.memberships:
            if change.user_id == self._own_id:
                if change.membership == "invite":
                    yield change
            elif change.room_id in ours and change.membership in ("invite", "join", "knock"):
                yield change
        yield from batch.tombstones
        yield from (Unsure(room_id) for room_id in batch.gaps if room_id in ours)

    async def _tell_put_out(self, unit: Unit, rooms: Sequence[Room], batch: Batch) -> None:
        """Tell the operators where we were removed or banned, while they can still be told."""
        for change in batch.memberships:
            room = next((each for each in rooms if each.room_id == change.room_id), None)
            gone = _GONE.get(change.membership)
            if (
                room is None
                or gone is None
                or change.user_id != self._own_id
                or change.sender == self._own_id
            ):
                continue
            log.error("put-out-of-room", room=change.room_id, how=change.membership)
            if room.purpose is RoomPurpose.OPERATORS:
                continue
            words = f"I was {gone} {name_of(room)} by {change.sender}."
            if room.purpose is RoomPurpose.QUEUE:
                words += " Nothing can be announced there until an admin invites me again."
            await tell_operators(self._place.work(unit), words)

    async def _matters(self, unit: Unit, heard: RoomEvent) -> bool:
        """Talk among agents is not ours to keep: only commands, buttons, and changes of what was heard."""
        if heard.kind is EventKind.MESSAGE:
            is_said = heard.decrypted and (heard.msgtype == "m.text" or heard.is_file)
            return is_said and (is_command(heard.body) or await self._changes_a_command(unit, heard))
        if heard.kind is EventKind.REDACTION:
            # A command before it that nobody has acted on may ask for the file that is removed here.
            target = heard.relates_to or ""
            is_known = bool(await unit.enclosures.by_event(target) or await unit.journal.known([target]))
            return (
                is_known or await unit.enclosures.any_fetched() or await unit.journal.next_new() is not None
            )
        return _bare(heard.key) in _BUTTONS

    async def _changes_a_command(self, unit: Unit, heard: RoomEvent) -> bool:
        """Whether the words that these replace have done something, or are still going to."""
        known = await unit.journal.by_event(heard.edits) if heard.edits is not None else None
        return known is not None and known.came is not Came.NOTHING

    async def _tell_replays(self, unit: Unit, event_ids: Sequence[str]) -> None:
        """Tell the operators once in the life of a process: whoever replays may do so without end."""
        for event_id in event_ids:
            log.warning("event-replayed", event_id=event_id)
        if event_ids and not self._told_replays:
            self._told_replays = True
            await tell_operators(self._place.work(unit), _REPLAYED)

    async def _tell_gaps(self, unit: Unit, rooms: Sequence[Room], batch: Batch) -> None:
        for room in rooms:
            await say_in(self._place.work(unit), room, Say(_GAP))
        if rooms and batch.recovered:
            count = "one room" if len(rooms) == 1 else f"{len(rooms)} rooms"
            await tell_operators(self._place.work(unit), _TOO_FAR.format(count=count))

    def memory(self) -> Backfill:
        """Return where a sync without token has to stop looking."""
        return Backfill(self._recall, self._place.world.now() - OLDEST)

    async def _recall(self, event_ids: Sequence[str]) -> Known:
        async with self._place.units() as unit:
            heard = await unit.journal.known(event_ids)
            sent = [event_id for event_id in event_ids if await unit.outbox.by_event(event_id) is not None]
        return Known(heard, frozenset(sent))

    async def _add(self, unit: Unit, heard: RoomEvent, *, recovered: bool) -> None:
        too_old = recovered and self._place.world.now() - heard.sent_at > TOO_OLD
        content = to_json(replace(heard, key=_bare(heard.key), too_old=too_old).to_json())
        row = self._row(heard, EventState.NEW)
        await unit.journal.add(row, content, sender=heard.sender, place=heard.place)

    async def _add_closed(self, unit: Unit, closed: Undecryptable) -> None:
        row = self._row(closed, EventState.UNDECRYPTABLE)
        content = json.dumps([closed.session_id, closed.place])
        await unit.journal.add(row, content, sender=closed.sender)
        unit.wake("unreadable")

    def _row(self, of: RoomEvent | Undecryptable, state: EventState) -> Event:
        return Event(
            event_id=of.event_id,
            room_id=of.room_id,
            state=state,
            heard_at=self._place.world.now(),
            thread_root=of.thread_root,
            target=of.relates_to if isinstance(of, RoomEvent) else None,
            edits=of.edits,
        )


def read(row: Event) -> RoomEvent:
    """Return the event that `EventJournal` has written into a row."""
    fields: Json = json.loads(row.content or "")
    return RoomEvent.from_json(fields if "event_id" in fields else _from_first_shape(row, fields))


def _from_first_shape(row: Event, fields: Json) -> Json:
    """Return an event's JSON from what was kept of it before all of it was."""
    kept = {name: value for name, value in fields.items() if name not in ("thread", "target")}
    return {
        **kept,
        "event_id": row.event_id,
        "room_id": row.room_id,
        "sender": row.sender or "",
        "thread_root": fields["thread"],
        "relates_to": fields["target"],
        "decrypted": fields["kind"] == EventKind.MESSAGE,
    }


def waits_for(content: str) -> tuple[str, str]:
    """Return session and place of an event that could not be read, as `Journal` has written them."""
    try:
        session_id, place = json.loads(content)
    except ValueError:  # written before places were known
        return content, ""
    return session_id, place


def _is_talk(heard: RoomEvent) -> bool:
    """Whether it may be answered, or become a command when its author changes the words."""
    return heard.kind is EventKind.MESSAGE and heard.decrypted and heard.edits is None


def _bare(key: str) -> str:
    return key.translate(_LOOKS)
