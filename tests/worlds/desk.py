# SPDX-License-Identifier: AGPL-3.0-or-later
"""A desk without Matrix and mail: a database, a clock that stands still, and agents who say things."""

import asyncio
import contextlib
import datetime as dt
import threading
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import commands
from commands.context import Context, Reply
from commands.event import EventKind, RoomEvent
from desk.config import DeskConfig, Queue, RepliesConfig
from desk.context import Work, Workplace
from desk.delivery.delivery import Delivery
from desk.keys.offers import keep
from desk.kinds import KINDS
from desk.letters.opened import OfferedKey
from desk.outbox.kinds import Kind
from desk.outbox.outcomes import OutboxItem, Outcome, Sender
from desk.tickets.threads import Thread
from desk.world import Refusal, World
from storage.models import (
    KeyState,
    Message,
    MessageKind,
    Outbox,
    OutboxState,
    Room,
    RoomPurpose,
    RoomState,
    Side,
    Ticket,
)
from storage.queries.tickets import NewTicket
from storage.sealing.vault import Vault, new_master_key
from storage.unit import Unit, Units
from tests.worlds.engines import engine_at

ANA, BEN, EVE = "@ana:helproom.test", "@ben:helproom.test", "@eve:elsewhere.test"
CREW = tuple(f"@agent{number}:helproom.test" for number in range(12))
USER = "user@example.org"
FINGERPRINT = "0123456789ABCDEF0123456789ABCDEF01234567"
MONDAY_NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)

CONFIG = DeskConfig(
    queues=(
        Queue("en", "en", "help@helproom.test", "Help desk", "A" * 40, detect=True),
        Queue("fr", "fr", "aide@helproom.test", "Aide", "B" * 40, fallback=(BEN,)),
    ),
    agents=frozenset({ANA, BEN, *CREW}),
    admins=frozenset({ANA}),
    replies=RepliesConfig(variables={"site": "https://example.org"}),
    tracker_url="https://redmine.example.org",
)


class Clock:
    """Stands still until told otherwise."""

    def __init__(self, now: dt.datetime = MONDAY_NOON) -> None:
        self.now = now

    def __call__(self) -> dt.datetime:
        return self.now

    def pass_by(self, **time: float) -> None:
        """Let some time pass: `seconds=`, `hours=` and what else `timedelta` knows."""
        self.now += dt.timedelta(**time)


def delivery_of(place: Workplace, carriers: Mapping[Kind, Sender] | Mapping[str, Sender]) -> Delivery:
    """Return a delivery with these carriers, by kinds or their names; it expects no other kind."""

    async def unexpected(parcel: OutboxItem) -> Outcome:
        raise AssertionError(f"nobody expected a row of the kind {parcel.kind}")

    named = {kind if isinstance(kind, str) else kind.name: carry for kind, carry in carriers.items()}
    return Delivery(place, KINDS, {kind: named.get(name, unexpected) for name, kind in KINDS.items()})


async def delivered(work: Work, row: Outbox) -> None:
    """Let follow what follows when a row has left."""
    then = KINDS[row.kind].sent
    if then is not None:
        await then(work, row)


async def refused(work: Work, row: Outbox) -> bool:
    """Let follow what follows when a row cannot leave; tell whether somebody was told."""
    then = KINDS[row.kind].failed
    return then is not None and await then(work, row)


async def unclear(work: Work, row: Outbox) -> None:
    """Let follow what follows when nobody knows whether a row has left."""
    then = KINDS[row.kind].unclear
    if then is not None:
        await then(work, row)


def with_replies(config: DeskConfig, **fields: Any) -> DeskConfig:
    """Return a config in which something about replies is different."""
    return replace(config, replies=replace(config.replies, **fields))


def with_intake(config: DeskConfig, **fields: Any) -> DeskConfig:
    """Return a config in which something about the intake of letters is different."""
    return replace(config, intake=replace(config.intake, **fields))


@dataclass
class Desk:
    """The desk and the hands that work at it."""

    units: Units
    clock: Clock = field(default_factory=Clock)
    config: DeskConfig = CONFIG
    _tokens: count = field(default_factory=count)

    @property
    def world(self) -> World:
        return World(self.clock, lambda: f"token{next(self._tokens):027}")

    @property
    def place(self) -> Workplace:
        """Return what parts of the desk are given."""
        return Workplace(self.units, self.world, self.config)

    def work(self, unit: Unit) -> Work:
        """Return what a decision in this unit works with."""
        return self.place.work(unit)

    async def furnish(self) -> None:
        """Make the rooms of the queues and of the operators."""
        async with self.units() as unit:
            for queue in self.config.queues:
                await unit.rooms.add(_room(RoomPurpose.QUEUE, queue.name, queue=queue.name))
            await unit.rooms.add(_room(RoomPurpose.OPERATORS, "ops"))

    async def ticket(self, text: str = "My wifi is gone.", **facts: Any) -> int:
        """Open a ticket with one message of the user; return its number."""
        usual = {
            "ref": self.world.token(),
            "queue": "en",
            "mailbox": "en",
            "language": "en",
            "language_confidence": None,
            "opened_at": self.clock.now,
            "confidential": False,
            "encryption": "none",
            "signature": "none",
            "kind": "e-mail",
            "contact": USER,
            "subject": "Wifi",
        }
        async with self.units() as unit:
            ticket = await unit.tickets.add(NewTicket(**{**usual, **facts}))
            ticket.event_id = f"$root{ticket.id}"
            number = ticket.id
        await self.user_writes(number, text)
        return number

    async def user_writes(self, number: int, text: str) -> int:
        """Add a message of the user to a ticket; return its id."""
        async with self.units() as unit:
            ticket = await unit.tickets.get(number, lock=True)
            message = Message(ref=self.world.token(), ticket=ticket, kind=MessageKind.IN, at=self.clock.now)
            message.text, message.subject = text, "Wifi"
            ticket.last_public = Side.USER
            return (await unit.messages.add(message)).id

    async def user_has_key(self, *, expires_at: dt.datetime | None = None) -> None:
        """Keep a public key of the user."""
        key = OfferedKey(FINGERPRINT, "attached", FINGERPRINT.encode(), expires_at)
        async with self.units() as unit:
            tag = (await unit.tickets.get(1)).contact_tag
            await keep(self.work(unit), tag, key, KeyState.SEEN)

    def heard(self, body: str = "", **facts: Any) -> RoomEvent:
        """Return what Ana says now, or what these facts make of it."""
        usual = {
            "event_id": "",
            "room_id": "",
            "sender": ANA,
            "kind": EventKind.MESSAGE,
            "sent_at": self.clock.now,
        }
        return RoomEvent(**{**usual, "body": body, **facts})

    def pressed(self, key: str, event_id: str, **facts: Any) -> RoomEvent:
        """Return Ana's reaction to an event."""
        return self.heard(kind=EventKind.REACTION, key=key, relates_to=event_id, **facts)

    async def said(
        self,
        line: str,
        *,
        by: str = ANA,
        ticket: int | None = None,
        where: str = "en",
        pills: tuple[str, ...] = (),
        verified: bool = False,
    ) -> Reply:
        """Say something to the bot and return its reply; raises Refusal."""
        async with self.units() as unit:
            room = await unit.rooms.by_room_id(f"!{where}:helproom.test")
            thread = f"$root{ticket}" if ticket else None
            event = self.heard(line, sender=by, thread_root=thread, verified=verified, pills=pills)
            here = Thread(await unit.tickets.get(ticket), thread, goes_on=True) if ticket else None
            reply = await commands.run(Context(event, room, self.work(unit), here))
        return reply or Reply("")

    async def say(self, line: str, **how: Any) -> str:
        """Say something to the bot, as in `said`; return the text of its reply or of its refusal."""
        try:
            return (await self.said(line, **how)).text
        except Refusal as why:
            return str(why)

    async def rows(self, *kinds: str | Kind) -> list[Outbox]:
        """Return what waits in the outbox, of some kinds or of all, with its payload opened."""
        async with self.units() as unit:
            waiting = await unit.outbox.in_state(OutboxState.PENDING)
            for row in waiting:
                row.data_key()
            wanted = {kind if isinstance(kind, str) else kind.name for kind in kinds}
            return [row for row in waiting if not kinds or row.kind in wanted]

    async def look(self, number: int) -> Ticket:
        """Return a ticket, its key unwrapped."""
        async with self.units() as unit:
            ticket = await unit.tickets.get(number)
            ticket.data_key()
            return ticket

    async def messages(self, number: int) -> list[Message]:
        """Return what was said in a ticket, its key unwrapped."""
        async with self.units() as unit:
            found = list(await unit.messages.of(await unit.tickets.get(number)))
            for each in found:
                each.data_key()
            return found


def _room(purpose: RoomPurpose, name: str, **facts: Any) -> Room:
    return Room(
        ref=f"room-{name}", purpose=purpose, state=RoomState.OPEN, room_id=f"!{name}:helproom.test", **facts
    )


@contextlib.asynccontextmanager
async def desk_at(database: str) -> AsyncIterator[Desk]:
    """Open a desk on an empty database."""
    engine = await engine_at(database)
    try:
        opened = Desk(Units(engine, Vault(new_master_key())))
        await opened.furnish()
        yield opened
    finally:
        await engine.dispose()
        # A cancelled unit's connection answers from its thread, and needs the loop until then.
        for thread in threading.enumerate():
            if "_connection_worker_thread" in thread.name:
                await asyncio.to_thread(thread.join, 10)
