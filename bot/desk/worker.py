# SPDX-License-Identifier: AGPL-3.0-or-later
"""Acts on journalled events, one after the other: each with its effects and its answer in one transaction."""

import asyncio
import contextlib
import datetime as dt
from dataclasses import replace

import structlog

import commands
from bot.desk.journal import JournalEntry, read, waits_for
from bot.events.events import EventKind
from commands.context import Context, Reply
from commands.grammar.spelling import is_command
from desk.context import Workplace
from desk.outbox.posts import CLAIM_KEY, Say, confirm, is_aside, say_in
from desk.outbox.ranks import Rank
from desk.replies import attaching, edits
from desk.tickets import threads
from desk.world import Refusal
from storage.engine.troubles import StorageTrouble
from storage.models import ANNOUNCEMENT, Came, Event, EventState, OutboxState, Room, Ticket
from storage.unit import Unit

log = structlog.get_logger()

STORAGE_PAUSE = 5.0
HINT_AFTER = dt.timedelta(seconds=60)
EARLY_FOR = dt.timedelta(minutes=5)
"""How long an event may wait for the announcement that it seems to belong to."""
LOOK_AGAIN = 30.0
"""Seconds after which to look without a bell."""
_LONGEST_CHAIN = 20
"""Answers to answers are followed so far."""


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
        """Act on the oldest event nobody has acted on; False when there is none."""
        row_id = 0
        try:
            async with self._place.units() as unit:
                event = await unit.journal.next_new()
                # Known before the event is read: it may be one that cannot be.
                row_id = event.id if event is not None else 0
                if event is None or await self._is_early(unit, event):
                    return False
                event.finish(EventState.DONE, await self._act(unit, event))
        except Refusal as why:
            await self._answer(row_id, str(why), EventState.DONE)
        except StorageTrouble:
            raise
        except Exception:
            if not row_id:
                # It is not the event: without a pause this would be tried without end.
                await asyncio.sleep(STORAGE_PAUSE)
            reference = self._place.world.token()[:6]
            log.exception("worker.surprise", row=row_id, reference=reference)
            await self._answer(
                row_id,
                f"Something broke on my side. Nothing was changed. Reference: {reference}",
                EventState.FAILED,
            )
        return True

    async def _is_early(self, unit: Unit, event: Event) -> bool:
        """Whether it may belong to an announcement that is in the room, but whose id we have not learnt yet.

        So it is when the homeserver's answer was lost, or we stopped before we wrote it down.
        """
        # Both ways: it seems to come from the future where the clock was set back.
        if abs(self._place.world.now() - event.heard_at) > EARLY_FOR:
            return False
        heard = read(event.content or "")
        root = heard.thread or heard.target
        # What is removed is a file, or nothing of ours: it never waits for an announcement.
        if root is None or heard.kind is EventKind.REDACTION or await _is_known(unit, root):
            return False
        room = await unit.rooms.by_room_id(event.room_id)
        waiting = await unit.outbox.in_state(OutboxState.PENDING)
        # One that stands aside was refused: it is not in the room.
        return room is not None and any(
            row.kind == ANNOUNCEMENT and row.room == room.id and not is_aside(row) for row in waiting
        )

    async def _act(self, unit: Unit, event: Event) -> Came:
        room = await unit.rooms.by_room_id(event.room_id)
        if room is None or event.sender is None or event.sender not in self._place.config.agents:
            return Came.NOTHING
        heard = await self._placed(unit, event)
        if heard.kind is EventKind.REDACTION:
            await edits.removed(self._place.work(unit), event, heard.target or "")
            await attaching.withdraw(self._place.work(unit), heard.target or "", by=event.sender)
            return Came.NOTHING
        # Reactions travel in clear and name no device, so that they cannot be verified: they count as what
        # the homeserver says they are, since the buttons would be of no use otherwise.
        if self._only_verified and heard.kind is EventKind.MESSAGE and not heard.verified:
            # That device cannot read this; the person's other devices can, and ring.
            await self._warn(unit, room, event, _UNVERIFIED)
            return Came.NOTHING
        context = await self._context(unit, event, room, heard)
        if heard.too_old:
            raise Refusal(_TOO_OLD.format(said=context.said_at))
        if heard.edits is not None:
            return await self._edited(unit, event, context, heard)
        if heard.kind is EventKind.REACTION:
            reply = await commands.react(context, heard.target or "", heard.key)
        else:
            reply = await commands.run(context, heard.body)
        if reply is not None:
            await self._say(unit, context, event, reply)
        return Came.CLAIMED if heard.key == CLAIM_KEY else Came.ACTED

    async def _edited(self, unit: Unit, event: Event, context: Context, heard: JournalEntry) -> Came:
        """Obey the new words in the place of the old ones, where these have done nothing that stays."""
        original = await edits.original_of(unit, event)
        if original is None:
            return Came.NOTHING
        took_back = await edits.make_way(self._place.work(unit), original, context.agent)
        if is_command(heard.body):
            reply = await commands.run(context, heard.body)
            original.came = Came.ACTED
        else:
            reply = Reply(edits.NO_COMMAND) if took_back else None
        if reply is not None:
            await self._say(unit, context, event, reply)
        return Came.NOTHING

    async def _placed(self, unit: Unit, event: Event) -> JournalEntry:
        """What was said, an edit with the place of what it changes: of that it tells nothing itself."""
        heard = read(event.content or "")
        original = await unit.journal.by_event(heard.edits) if heard.edits is not None else None
        if original is None or not event.is_change_of(original):
            return heard
        return replace(heard, thread=original.thread_root, target=original.target)

    async def _context(self, unit: Unit, event: Event, room: Room, heard: JournalEntry) -> Context:
        # A plain reply to whatever stands in a ticket's thread is about it as much as a word in the thread.
        is_said = heard.kind is EventKind.MESSAGE
        root = heard.thread or (heard.target if is_said else None)
        thread = await threads.of_message(unit, root) if root else None
        return Context(
            agent=event.sender or "",
            room=room,
            ticket_in_thread=thread.ticket if thread is not None else None,
            thread_ended=thread is not None and not thread.goes_on,
            goes_on_in=thread.elsewhere if thread is not None else "",
            thread=heard.thread or (thread.root if thread is not None else None),
            # The sender's homeserver says when; a clock that is ahead must not make old mail look read.
            said_at=min(dt.datetime.fromtimestamp(heard.sent_at, dt.UTC), self._place.world.now()),
            work=self._place.work(unit),
            verified=heard.verified,
            event_id=heard.edits or event.event_id,
            reply_to=heard.target if is_said else None,
            is_file=heard.is_file,
            pills=heard.pills,
        )

    async def _say(self, unit: Unit, context: Context, event: Event, reply: Reply) -> None:
        if reply.done:
            await confirm(self._place.work(unit), context.room, context.event_id)
            return
        thread, reply_to = await self._where(unit, event)
        say = Say(reply.text, quote=reply.quote, thread=thread, reply_to=reply_to, file=reply.file)
        await say_in(
            self._place.work(unit),
            context.room,
            say,
            ticket=context.ticket_in_thread,
            rank=Rank.ANSWER,
        )

    async def _warn(self, unit: Unit, room: Room, event: Event, text: str) -> None:
        thread, reply_to = await self._where(unit, event)
        say = Say(text, thread=thread, reply_to=reply_to, mentions=(event.sender or "",))
        await say_in(self._place.work(unit), room, say, ticket=await _ticket_at(unit, thread or reply_to))

    async def _where(self, unit: Unit, event: Event) -> tuple[str | None, str | None]:
        """The thread in which an event is answered, and the event that is answered."""
        heard = await self._placed(unit, event)
        said = heard.edits or event.event_id
        if heard.kind is not EventKind.REACTION or heard.target is None:
            return heard.thread, said
        # An event that stands in a thread cannot root another one, so the target's own is looked for.
        row = await unit.outbox.by_event(heard.target)
        thread = await threads.root_event_of(unit, row) if row is not None else None
        return thread, heard.target

    async def _answer(self, row_id: int, text: str, state: EventState) -> None:
        """After a rollback: say why nothing happened; what cannot even be answered is put aside."""
        try:
            await self._tell(row_id, text, state)
        except StorageTrouble:
            raise
        except Exception:
            log.exception("worker.unanswerable", row=row_id)
            async with self._place.units() as unit:
                event = await unit.journal.get(row_id)
                if event is not None:
                    event.finish(EventState.FAILED)

    async def _tell(self, row_id: int, text: str, state: EventState) -> None:
        """Mark the event and say the text, in a transaction of its own."""
        async with self._place.units() as unit:
            event = await unit.journal.get(row_id)
            room = await unit.rooms.by_room_id(event.room_id) if event is not None else None
            if event is None or room is None:
                return
            thread, reply_to = await self._where(unit, event)
            if event.edits is not None and await edits.end_old_words(self._place.work(unit), event):
                text = f"{text}\n{edits.OLD_WORDS_STAY}"
            say = Say(text, thread=thread, reply_to=reply_to)
            ticket = await _ticket_at(unit, thread or reply_to)
            await say_in(self._place.work(unit), room, say, ticket=ticket, rank=Rank.ANSWER)
            event.finish(state)

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


async def _is_known(unit: Unit, event_id: str) -> bool:
    """Whether we know where this stands: then it hangs on no announcement whose id we have yet to learn."""
    for _ in range(_LONGEST_CHAIN):
        if await threads.of_event(unit, event_id) or await unit.outbox.by_event(event_id):
            return True
        heard = await unit.journal.by_event(event_id)
        if heard is None:
            return False
        answers = heard.thread_root or heard.target
        if answers is None:
            return True
        event_id = answers
    return True


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
