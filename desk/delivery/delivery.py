# SPDX-License-Identifier: AGPL-3.0-or-later
"""Drains the outbox: each lane in its order, postponed with growing pauses, parked when it cannot leave."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeVar

import structlog

from desk.context import Work, Workplace
from desk.outbox.kinds import Kind, Kinds, Then, unfollowed
from desk.outbox.outcomes import (
    Deferred,
    Delivered,
    Failed,
    Impossible,
    Later,
    Limited,
    OutboxItem,
    Outcome,
    Overtaken,
    Refused,
    Sender,
    StopDelivery,
    Unclear,
)
from desk.outbox.posts import aside_of, finish, rank_of, tell_operators
from desk.outbox.ranks import Turns
from desk.stopwatch import Stopwatch
from storage.engine.troubles import StorageTrouble
from storage.models import Outbox, OutboxState
from storage.queries.outbox import Patience
from storage.unit import Unit

log = structlog.get_logger()
T = TypeVar("T")

STORAGE_PAUSE = 5.0
"""Seconds between attempts when the database is locked, full or gone."""

SURPRISES_BEFORE_PARKING = 5
"""How many failures of our own code a row may meet before it is put aside."""
LIMITED = "matrix.limited"
"""The fact that tells when the homeserver last said that the bot says too much at once."""
LIMIT_NOTED_EACH = dt.timedelta(hours=1)
USUAL_LIMIT_SECONDS = 5.0
"""The pause after a limit where the homeserver names none."""
REFUSALS_BEFORE_PARKING = 12
"""How often the other side may refuse a row that people can mend: with the usual pauses half an hour."""


class Delivery:
    """The outbox and who carries what."""

    def __init__(self, place: Workplace, kinds: Kinds, senders: Mapping[Kind, Sender]) -> None:
        """Raises TypeError when a kind has no sender, or a sender no kind."""
        if odd := {kind.name for kind in {*kinds.values()} ^ {*senders}}:
            raise TypeError(f"Outbox rows without a sender, or senders without rows: {sorted(odd)}")
        self._place = place
        self._kinds = kinds
        self._senders = senders
        self._patience = Patience(
            {kind.name: kind.longest_pause for kind in senders},
            [kind.name for kind in senders if kind.may_wait],
        )
        self._busy: set[str] = set()
        self._turns = Turns()
        self._closing = False
        self._limited_at: dt.datetime | None = None

    async def run(self, *, poll: float = 30.0) -> None:
        """Deliver for ever: at once when the bell rings, and at the latest after `poll` seconds.

        A lane that hangs holds up nobody but itself.
        """
        await retry_storage(self.settle_interrupted)
        bell = self._place.units.wake_ups.outbox
        async with asyncio.TaskGroup() as together:
            while True:
                bell.clear()
                looked_at = self._place.world.now()
                for lane in await retry_storage(partial(self._due_lanes, looked_at)):
                    if lane not in self._busy and not self._closing:
                        self._busy.add(lane)
                        together.create_task(self._work_lane(lane))
                # From that moment on: a row that fell due since would else be left until the next look.
                pause = min(poll, await retry_storage(partial(self._until_next, looked_at, poll)))
                # Not wait_for: in Python 3.11 it swallows a cancellation that comes with the bell.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await bell.wait()

    async def _work_lane(self, lane: str) -> None:
        try:
            await self._drain_lane(lane)
        finally:
            self._busy.discard(lane)
            # A row may have come to the lane after its last look and before this line.
            self._place.units.wake_ups.outbox.set()

    async def _until_next(self, looked_at: dt.datetime, otherwise: float) -> float:
        async with self._place.units() as unit:
            due = await unit.outbox.next_due(looked_at)
        return otherwise if due is None else max(0.0, (due - self._place.world.now()).total_seconds())

    async def _due_lanes(self, now: dt.datetime) -> list[str]:
        async with self._place.units() as unit:
            return [row.lane for row in await unit.outbox.heads(now, self._patience)]

    async def drain(self) -> None:
        """Deliver all that is due now, lanes side by side."""
        while lanes := await self._due_lanes(self._place.world.now()):
            async with asyncio.TaskGroup() as together:
                for lane in lanes:
                    together.create_task(self._drain_lane(lane))

    async def finish(self, grace: float) -> None:
        """Begin nothing more, and let what is under way end within `grace` seconds."""
        self._closing = True
        self._turns.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                while self._busy:
                    self._place.units.wake_ups.outbox.clear()
                    await self._place.units.wake_ups.outbox.wait()

    async def _drain_lane(self, lane: str) -> None:
        while not self._closing:
            async with self._turn(lane):
                # Chosen in its turn: what was to be said may be another by then.
                parcel = await retry_storage(partial(self._next_parcel, lane))
                if parcel is None or not await self._deliver(parcel):
                    return

    def _turn(self, lane: str) -> contextlib.AbstractAsyncContextManager[None]:
        rank = rank_of(lane)
        return contextlib.nullcontext() if rank is None else self._turns.turn(rank)

    async def _next_parcel(self, lane: str) -> OutboxItem | None:
        if self._closing:
            return None
        async with self._place.units() as unit:
            row = await unit.outbox.head_of(lane, self._place.world.now(), self._patience)
            return None if row is None else self._wrap(row)

    def _wrap(self, row: Outbox) -> OutboxItem:
        return OutboxItem(
            id=row.id,
            ref=row.ref,
            kind=row.kind,
            payload=row.payload or "",
            room=row.room,
            ticket=row.ticket_id,
            message=row.message_id,
            tries=row.tries,
            age=self._place.world.now() - row.created_at,
        )

    async def _deliver(self, parcel: OutboxItem) -> bool:
        """Try one row; False when its lane has to wait."""
        stopwatch = Stopwatch()
        outcome = await self._outcome(parcel)
        if isinstance(outcome, Limited):
            self._turns.limited(USUAL_LIMIT_SECONDS if outcome.after is None else outcome.after)
            await retry_storage(self._note_limit)
            return True
        log.info(
            "outbox.carried",
            row=parcel.id,
            kind=parcel.kind,
            ticket=parcel.ticket,
            outcome=type(outcome).__name__.lower(),
            ms=stopwatch.ms,
        )
        # What has left must be noted as left, however long the database takes to be well.
        try:
            return await retry_storage(partial(self._note, parcel, outcome))
        except Exception as surprise:
            log.exception("delivery.follow_surprise", row=parcel.id, kind=parcel.kind)
            return await retry_storage(partial(self._note, parcel, outcome, fault=type(surprise).__name__))

    async def _note(self, parcel: OutboxItem, outcome: Outcome, *, fault: str = "") -> bool:
        """Note what came of a row, and do what follows from it.

        With a `fault`, what follows has failed: it is left out, and the operators are told.
        """
        async with self._place.units() as unit:
            row = await unit.outbox.get(parcel.id)
            # What ended together with its work stays so, also where only the word of that commit was lost.
            if row is None or row.state is OutboxState.SENT:
                return True
            if row.state is OutboxState.DROPPED:
                # A newer one took its place meanwhile.
                row.event_id = outcome.event_id if isinstance(outcome, Delivered) else None
                return True
            row.tries += 1
            lane = row.lane
            kind = self._kinds[row.kind]
            await self._settle(unit, row, outcome, unfollowed(kind) if fault else kind)
            if fault and row.state in {OutboxState.SENT, OutboxState.DROPPED}:
                await _tell_fault(self._place.work(unit), row, fault)
            return row.state is not OutboxState.PENDING or row.lane != lane

    async def _note_limit(self) -> None:
        """Note once in a while, for `helproom check`, that the homeserver limits the bot."""
        now = self._place.world.now()
        if self._limited_at is None or abs(now - self._limited_at) > LIMIT_NOTED_EACH:
            self._limited_at = now
            log.warning("delivery.limited")
            async with self._place.units() as unit:
                await unit.facts.set(LIMITED, now.isoformat())

    async def _outcome(self, parcel: OutboxItem) -> Outcome:
        try:
            return await self._senders[self._kinds[parcel.kind]](parcel)
        except StopDelivery:
            raise
        except StorageTrouble as trouble:
            return Later(str(trouble))
        except Exception as surprise:
            log.exception("delivery.surprise", row=parcel.id, kind=parcel.kind)
            return Failed(f"internal error ({type(surprise).__name__})")

    async def _settle(self, unit: Unit, row: Outbox, outcome: Outcome, kind: Kind) -> None:
        work = self._place.work(unit)
        if kind.wakes is not None:
            unit.wake(kind.wakes)
        match self._weigh(row, outcome):
            case Delivered(event_id):
                finish(work.world, row, OutboxState.SENT)
                row.event_id = event_id
                await _follow(kind.sent, work, row)
            case Later(why, after):
                row.state, row.error = OutboxState.PENDING, why
                row.due_at = work.world.now() + min(after or _pause(kind, row), kind.longest_pause)
                await _follow(kind.postponed, work, row)
            case Deferred(why):
                row.lane, row.error = aside_of(row), why
                row.due_at = work.world.now() + _pause(kind, row)
            case Impossible(why):
                row.error = why
                await _park(work, row, kind)
            case Overtaken():
                finish(work.world, row, OutboxState.DROPPED)
                await _follow(kind.overtaken, work, row)
            case Unclear(why):
                row.error = why
                finish(work.world, row, OutboxState.DROPPED)
                await _follow(kind.unclear, work, row)

    def _weigh(self, row: Outbox, outcome: Outcome) -> Outcome:
        """Lose patience after a while; a refusal too may pass, as when the bot is put back into a room."""
        if isinstance(outcome, Failed):
            row.surprises += 1
            enough = row.surprises >= SURPRISES_BEFORE_PARKING
            outcome = Impossible(outcome.why) if enough else Later(outcome.why)
        if isinstance(outcome, Later) and self._too_old(row):
            return Impossible(f"{outcome.why}; given up after {_words(self._kinds[row.kind].lifetime)}")
        if isinstance(outcome, Refused):
            row.refusals += 1
            enough = row.refusals >= REFUSALS_BEFORE_PARKING
            return Impossible(outcome.why) if enough else Deferred(outcome.why)
        return outcome

    def _too_old(self, row: Outbox) -> bool:
        life = self._kinds[row.kind].lifetime
        return life is not None and self._place.world.now() - row.created_at > life

    async def settle_interrupted(self) -> None:
        """After a crash: what was being handed over at that moment is unclear, and is told as such."""
        async with self._place.units() as unit:
            for row in await unit.outbox.in_state(OutboxState.SENDING):
                stopped = Unclear("Helproom stopped while it was being handed over")
                await self._settle(unit, row, stopped, self._kinds[row.kind])


async def retry_storage(attempt: Callable[[], Awaitable[T]]) -> T:
    """Try again, with pauses, until the database does its work."""
    while True:
        try:
            return await attempt()
        except StorageTrouble as trouble:
            log.warning("delivery.storage", trouble=str(trouble))
            await asyncio.sleep(STORAGE_PAUSE)


def _words(life: dt.timedelta | None) -> str:
    if life is None:
        return "a while"
    return f"{life.days} days" if life.days else f"{life // dt.timedelta(minutes=1)} minutes"


def _pause(kind: Kind, row: Outbox) -> dt.timedelta:
    """Return the first pause, doubled with each try, up to the longest."""
    doublings = min(row.tries - 1, 12)
    return min(kind.longest_pause, kind.first_pause * (1 << doublings))


async def _follow(then: Then | None, work: Work, row: Outbox) -> None:
    if then is not None:
        await then(work, row)


async def _park(work: Work, row: Outbox, kind: Kind) -> None:
    row.state = OutboxState.PARKED
    log.warning("delivery.parked", row=row.id, kind=row.kind)
    if kind.failed is None or not await kind.failed(work, row):
        await _tell_parked(work, row)


async def _tell_parked(work: Work, row: Outbox) -> None:
    """Tell the operators, unless it is their own room that takes nothing: that would never end.

    Of a room where the same keeps many rows, they hear once.
    """
    operators = await work.unit.rooms.of_operators(lock=True)
    if operators is None or row.room == operators.id:
        return
    parked = await work.unit.outbox.in_state(OutboxState.PARKED)
    if row.room is None or not any(_is_alike(row, other) for other in parked):
        await tell_operators(work, _parked_words(row))


def _is_alike(row: Outbox, other: Outbox) -> bool:
    return other.id != row.id and (other.room, other.error) == (row.room, row.error)


def _called(row: Outbox) -> str:
    about = f" for ticket {row.ticket_id}" if row.ticket_id is not None else ""
    return f"outbox row {row.id} ({row.kind}{about})"


async def _tell_fault(work: Work, row: Outbox, fault: str) -> None:
    """Tell the operators, unless it is what they are told that fails: that would never end."""
    operators = await work.unit.rooms.of_operators()
    if operators is not None and row.room != operators.id:
        await tell_operators(work, _fault_words(row, fault))


def _fault_words(row: Outbox, fault: str) -> str:
    end = "It has left" if row.state is OutboxState.SENT else "It is not tried again"
    look = f" Please look at ticket {row.ticket_id}." if row.ticket_id is not None else ""
    return (
        f"Internal error ({fault}) after {_called(row)} was handed over. {end}, "
        f"but what should follow was not done.{look} Please report it."
    )


def _parked_words(row: Outbox) -> str:
    words = f"Parked: {_called(row)}: {row.error}".rstrip(".")
    if row.room is None:
        return f"{words}. `!unpark {row.id}` tries again."
    return (
        f"{words}. Check the bot's rights in that room (`helproom check` names what is missing). "
        f"`!unpark {row.id}` tries again. What else cannot go there is not told one by one: `!parked` lists "
        "it, and `!unpark all` tries all of it."
    )
