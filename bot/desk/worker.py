# SPDX-License-Identifier: AGPL-3.0-or-later
"""Acts on journalled events, one after the other: each with its effects and its answer in one transaction."""

import asyncio
import contextlib
import datetime as dt
from dataclasses import dataclass, replace

import structlog

import commands
from bot.desk.early import EarlyEvents
from bot.desk.journal import read, waits_for
from commands.context import Context, Reply
from commands.event import EventKind, RoomEvent
from commands.grammar.spelling import is_command
from desk.context import Workplace
from desk.outbox.posts import CLAIM_KEY, Say, confirm, say_in
from desk.outbox.ranks import Rank
from desk.replies import attaching, edits
from desk.tickets import threads
from desk.world import Refusal
from storage.engine.troubles import StorageTrouble
from storage.models import Came, Event, EventState, Room, Ticket
from storage.unit import Unit

log = structlog.get_logger()

STORAGE_PAUSE = 5.0
HINT_AFTER = dt.timedelta(seconds=60)
LOOK_AGAIN = 30.0
"""Seconds after which to look without a bell."""


@dataclass
class _Turn:
    """Whose turn it is; known after a rollback, too."""

    row_id: int = 0
    event: RoomEvent | None = None
    """None when it cannot be read."""


class Worker:
    """Runs the commands."""

    def __init__(self, place: Workplace, *, only_verified: bool = False) -> None:
        """`only_verified` refuses commands of devices that their owner's identity has not signed."""
        self._only_verified = only_verified
        self._place = place

    async def run(self) -> None:
        """Work for ever, at once when the bell rings."""
        bell = self._place.units.wake_ups.journal
        while True:
            bell.clear()
            try:
                while await self.step():
                    pass
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_AGAIN):
                        await bell.wait()
            except StorageTrouble as trouble:
                log.warning("worker.storage", trouble=str(trouble))
                await asyncio.sleep(STORAGE_PAUSE)

    async def step(self) -> bool:
        """Act on the oldest event that is not early; False when there is none."""
        turn = _Turn()
        try:
            async with self._place.units() as unit:
                found = await self._next(unit, turn)
                if found is None:
                    return False
                row, event = found
                row.finish(EventState.DONE, await self._act(unit, row, event))
        except Refusal as why:
            await self._answer(turn, str(why), EventState.DONE)
        except StorageTrouble:
            raise
        except Exception:
            if not turn.row_id:
                # It is not the event: without a pause this would be tried without end.
                await asyncio.sleep(STORAGE_PAUSE)
            reference = self._place.world.token()[:6]
            log.exception("worker.surprise", row=turn.row_id, reference=reference)
            await self._answer(
                turn,
                f"Something broke on my side. Nothing was changed. Reference: {reference}",
                EventState.FAILED,
            )
        return True

    async def _next(self, unit: Unit, turn: _Turn) -> tuple[Event, RoomEvent] | None:
        """Return the oldest event that is not early; `turn` says which one is looked at."""
        early = EarlyEvents(unit, self._place.world.now())
        row = await unit.journal.next_new()
        while row is not None:
            # Known before the event is read: it may be one that cannot be.
            turn.row_id = row.id
            turn.event = read(row)
            if not await early.has(row, turn.event):
                turn.event = await _placed(unit, row, turn.event)
                return row, turn.event
            turn.row_id, turn.event = 0, None
            row = await unit.journal.next_new(after=row.id)
        return None

    async def _act(self, unit: Unit, row: Event, event: RoomEvent) -> Came:
        room = await unit.rooms.by_room_id(event.room_id)
        # All that follows, the commands and the buttons too, is for agents alone.
        if room is None or event.sender not in self._place.config.agents:
            return Came.NOTHING
        if event.kind is EventKind.REDACTION:
            await edits.removed(self._place.work(unit), row, event.relates_to or "")
            await attaching.withdraw(self._place.work(unit), event.relates_to or "", by=event.sender)
            return Came.NOTHING
        # Reactions travel in clear and name no device, so that they cannot be verified: they count as what
        # the homeserver says they are, since the buttons would be of no use otherwise.
        if self._only_verified and event.kind is EventKind.MESSAGE and not event.verified:
            # That device cannot read this; the person's other devices can, and ring.
            await self._warn(unit, room, event, _UNVERIFIED)
            return Came.NOTHING
        context = await self._context(unit, event, room)
        if event.too_old:
            raise Refusal(_TOO_OLD.format(said=context.said_at))
        if event.edits is not None:
            return await self._edited(context, row)
        run = commands.react if event.kind is EventKind.REACTION else commands.run
        await self._say(context, await run(context))
        return Came.CLAIMED if event.key == CLAIM_KEY else Came.ACTED

    async def _edited(self, context: Context, row: Event) -> Came:
        """Obey the new words in the place of the old ones, where these have done nothing that stays."""
        original = await edits.original_of(context.unit, row)
        if original is None:
            return Came.NOTHING
        took_back = await edits.make_way(context.work, original, context.agent)
        if is_command(context.event.body):
            reply = await commands.run(context)
            original.came = Came.ACTED
        else:
            reply = Reply(edits.NO_COMMAND) if took_back else None
        await self._say(context, reply)
        return Came.NOTHING

    async def _context(self, unit: Unit, event: RoomEvent, room: Room) -> Context:
        # A plain reply to whatever stands in a ticket's thread is about it as much as a word in the thread.
        answered = event.relates_to if event.kind is EventKind.MESSAGE else None
        root = event.thread_root or answered
        thread = await threads.of_message(unit, root) if root else None
        return Context(event, room, self._place.work(unit), thread)

    async def _say(self, context: Context, reply: Reply | None) -> None:
        if reply is None:
            return
        if reply.done:
            await confirm(context.work, context.room, context.event.original_id)
            return
        thread, reply_to = await _where(context.unit, context.event)
        say = Say(reply.text, quote=reply.quote, thread=thread, reply_to=reply_to, file=reply.file)
        await say_in(context.work, context.room, say, ticket=context.ticket_in_thread, rank=Rank.ANSWER)

    async def _warn(self, unit: Unit, room: Room, event: RoomEvent, text: str) -> None:
        thread, reply_to = await _where(unit, event)
        say = Say(text, thread=thread, reply_to=reply_to, mentions=(event.sender,))
        await say_in(self._place.work(unit), room, say, ticket=await _ticket_at(unit, thread or reply_to))

    async def _answer(self, turn: _Turn, text: str, state: EventState) -> None:
        """After a rollback: say why nothing happened; what cannot even be answered is put aside."""
        try:
            if turn.event is not None:
                await self._tell(turn.row_id, turn.event, text, state)
                return
        except StorageTrouble:
            raise
        except Exception:
            log.exception("worker.unanswerable", row=turn.row_id)
        async with self._place.units() as unit:
            row = await unit.journal.get(turn.row_id)
            if row is not None:
                row.finish(EventState.FAILED)

    async def _tell(self, row_id: int, event: RoomEvent, text: str, state: EventState) -> None:
        """Mark the event and say the text, in a transaction of its own."""
        async with self._place.units() as unit:
            row = await unit.journal.get(row_id)
            room = await unit.rooms.by_room_id(event.room_id)
            if row is None or room is None:
                return
            thread, reply_to = await _where(unit, event)
            if row.edits is not None and await edits.end_old_words(self._place.work(unit), row):
                text = f"{text}\n{edits.OLD_WORDS_STAY}"
            say = Say(text, thread=thread, reply_to=reply_to)
            ticket = await _ticket_at(unit, thread or reply_to)
            await say_in(self._place.work(unit), room, say, ticket=ticket, rank=Rank.ANSWER)
            row.finish(state)

    async def hint_undecryptable(self) -> dt.timedelta | None:
        """Say once in the room that a message could not be read, when its key has not come for a while.

        Return after how long the next hint may be due; None without a message that waits for its key.
        """
        async with self._place.units() as unit:
            waiting = await unit.journal.undecryptable()
            pauses = [self._until_hint(event) for event in waiting]
            for event, pause in zip(waiting, pauses, strict=True):
                if pause > dt.timedelta():
                    continue
                room = await unit.rooms.by_room_id(event.room_id)
                if room is not None and event.sender in self._place.config.agents:
                    said = event.edits or event.event_id
                    say = Say(_HINT, thread=event.thread_root, reply_to=said, mentions=(event.sender,))
                    await say_in(self._place.work(unit), room, say, rank=Rank.ANSWER)
                # It is asked for again, so these words must not count once their key is here.
                await unit.journal.take_place(event, waits_for(event.content or "")[1])
                event.finish(EventState.HINTED)
        return min((pause for pause in pauses if pause > dt.timedelta()), default=None)

    def _until_hint(self, event: Event) -> dt.timedelta:
        waited = self._place.world.now() - event.heard_at
        # It seems to come from the future where the clock was set back.
        return dt.timedelta() if waited < dt.timedelta() else max(dt.timedelta(), HINT_AFTER - waited)


async def _placed(unit: Unit, row: Event, event: RoomEvent) -> RoomEvent:
    """Return an edit with the place of what it changes: of that it tells nothing itself."""
    original = await unit.journal.by_event(event.edits) if event.edits is not None else None
    if original is None or not row.is_change_of(original):
        return event
    return replace(event, thread_root=original.thread_root, relates_to=original.target)


async def _where(unit: Unit, event: RoomEvent) -> tuple[str | None, str | None]:
    """The thread in which an event is answered, and the event that is answered."""
    if event.kind is not EventKind.REACTION or event.relates_to is None:
        return event.thread_root, event.original_id
    # An event that stands in a thread cannot root another one, so the target's own is looked for.
    row = await unit.outbox.by_event(event.relates_to)
    thread = await threads.root_event_of(unit, row) if row is not None else None
    return thread, event.relates_to


async def _ticket_at(unit: Unit, event_id: str | None) -> Ticket | None:
    """The ticket in whose thread an event stands, so that an answer to our answer finds it too."""
    thread = await threads.of_message(unit, event_id) if event_id is not None else None
    return thread.ticket if thread is not None else None


_TOO_OLD = (
    "This is from {said:%Y-%m-%d %H:%M} UTC, and I only found it now: it may not be what you want any more. "
    "If it is, please do it again."
)
_UNVERIFIED = (
    "The device that sent this is not verified (cross-signed). I do not act on what it says, and it cannot "
    "read what I say: verify it with your account first."
)
_HINT = (
    "I cannot read this message: its key has not reached me. If it was a command, please send it again; "
    "if that does not help, check that your client shares keys with verified devices."
)
