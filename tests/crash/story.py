# SPDX-License-Identifier: AGPL-3.0-or-later
"""One mail, four commands, one answer; a desk that is killed on the way; and what must be true at the end."""

import asyncio
import contextlib
import shutil
import smtplib
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from bot.testing.person import Person, Seen
from desk.outbox.posts import DONE_KEY
from mail.testing.smtp_server import Catcher
from tests.crash.desk_program import Plan
from tests.crash.model import ADDRESS, ANA, BOT, BOTS_TOKEN, ROOMS, SAMPLES, Model, log_in, until
from tests.crash.tracing import Life, Nursery
from tests.faults.fakehs import FakeHomeserver, Fault

PLAIN = b"""\
From: Ulla <ulla@user.example>\r
To: support@tails.net\r
Subject: Wifi\r
Message-ID: <one@user.example>\r
Date: Mon, 02 Mar 2026 12:00:00 +0000\r
\r
My wifi is gone since I have changed the router, and I do not know what to do.\r
"""
SECRET = (SAMPLES / "01-new-en-wifi-large.eml").read_bytes()
"""Encrypted to the desk's key, with the user's key inside."""
SAYINGS = ("!show", "!claim", "!reply Please switch it on.")
STALL_SECONDS = 15.0
"""A traced life that gets nowhere for so long met its fault in a child, and is ended here."""
END_SECONDS = 60.0
SETTLED_SECONDS = 1.0
READ_SECONDS = 10.0


class End(Enum):
    """How the traced life ended."""

    KILLED = "killed"
    STALLED = "stalled"
    """Its child was killed again and again."""
    UNTOUCHED = "untouched"
    """The call was never made so often."""


@dataclass
class Story:
    """A run: the world around one desk."""

    plan: Plan
    homeserver: FakeHomeserver
    catcher: Catcher
    ana: Person
    letter: bytes = PLAIN
    acknowledged: bool = False
    heard_at: float = 0.0
    """When the last answer came from the LMTP door."""
    end: End = End.UNTOUCHED
    pid: int = 0
    """The first life's."""
    faults: list[str] = field(default_factory=list)

    async def tell(self, nursery: Nursery, options: tuple[str, ...]) -> None:
        """Live one traced life, and after its death another without tracer, up to the end of the story."""
        life = await nursery.bear(self.plan, *options)
        self.pid = life.pid
        people = [asyncio.create_task(work) for work in (self.post(), self._command())]
        try:
            if not await self._watch(life, STALL_SECONDS):
                self.end = End.STALLED if life.lives else End.KILLED
                await life.end()
                life = await nursery.bear(self.plan)
                if not await self._watch(life, END_SECONDS):
                    self.faults.append("the story does not come to its end")
            await self._catch_up()
        finally:
            for each in people:
                each.cancel()
            ends = await asyncio.gather(*people, return_exceptions=True)
            self.faults += [f"the people failed: {type(end).__name__}" for end in ends if _is_fault(end)]
            await life.end()

    async def _watch(self, life: Life, seconds: float) -> bool:
        """Wait until the story has ended; False when the process died or `seconds` went by before."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._has_ended() or self._is_lost(life):
                return True
            if not life.lives:
                return False
            await asyncio.sleep(0.02)
        return False

    def _is_lost(self, life: Life) -> bool:
        """Neither a doubled announcement nor an acknowledged letter that no database knows will mend."""
        if len(self._announcements()) > 1:
            return True
        is_settled = self.acknowledged and time.monotonic() > self.heard_at + SETTLED_SECONDS
        if not is_settled or life.tracer is not None:
            return False
        return not self._count("letter")

    def _has_ended(self) -> bool:
        if not self._count("message where state in ('sent', 'unclear', 'failed')"):
            return False
        if self._count("outbox where state in ('pending', 'sending')"):
            return False
        return not self._count("event where state = 'new'")

    async def _catch_up(self) -> None:
        """Give Ana's client the time to read what has been said."""
        with contextlib.suppress(TimeoutError):
            await until(lambda: len(self._heard()) + len(self.ana.unreadable) >= self._spoken(), READ_SECONDS)

    def _spoken(self) -> int:
        """How many messages of the desk the homeserver holds."""
        events = [event for room in self.homeserver.state for event in self.homeserver.sent(room)]
        return sum(event["sender"] == BOT and event["type"] == "m.room.encrypted" for event in events)

    def _heard(self) -> list[Seen]:
        return [seen for seen in self.ana.seen if seen.sender == BOT]

    def _count(self, query: str) -> int:
        return int(self._ask(f"select count(*) from {query}") or 0)

    def _ask(self, query: str) -> Any:
        """Ask the desk's database, which a new desk has yet to make."""
        file = f"file:{self.plan.folder}/data/helproom.db?mode=rw"
        try:
            with contextlib.closing(sqlite3.connect(file, timeout=10, uri=True)) as database:
                return (database.execute(query).fetchone() or [None])[0]
        except sqlite3.OperationalError as error:
            if "no such table" in str(error) or "unable to open" in str(error):
                return None
            raise

    @property
    def _room(self) -> str:
        return str(self._ask("select room_id from room where queue = 'en'") or "")

    async def post(self) -> None:
        """Hand in the letter as a mail server does: again and again until there is a 250."""
        while not self.acknowledged:
            self.acknowledged = await asyncio.to_thread(self._hand_in)
            self.heard_at = time.monotonic()
            await asyncio.sleep(0.03)

    def _hand_in(self) -> bool:
        try:
            with smtplib.LMTP(f"{self.plan.folder}/lmtp", timeout=20) as door:
                door.sendmail("ulla@user.example", [ADDRESS], self.letter)
        except (OSError, smtplib.SMTPException):
            return False
        return True

    async def _command(self) -> None:
        """Say all there is to say as soon as there is an announcement; hear nothing, repeat nothing."""
        await until(lambda: bool(self._announcements()), END_SECONDS)
        announcement = self._announcements()[0]
        for words in SAYINGS:
            await self.ana.say(announcement.room_id, words, thread=announcement.event_id)

    def judge(self) -> list[str]:
        """Return all that is wrong at the end."""
        bodies = Counter(seen.body for seen in self._heard() if seen.replaces is None) + self._reactions()
        found = [*self.faults]
        found += [f"said {count} times: {words[:60]}" for words, count in bodies.items() if count > 1]
        if len(self._announcements()) != 1:
            found.append(f"{len(self._announcements())} announcements")
        found += self._missing(Counter(seen.body for seen in self._heard()) + self._reactions())
        found += [
            f"{self._count(query)} instead of 1: {query}"
            for query in (
                "ticket",
                "letter",
                f"ticket where owner = '{ANA}'",
                "message where kind = 'in'",
                "message where kind = 'out'",
            )
            if self._count(query) != 1
        ]
        if parked := self._ask("select kind || ': ' || error from outbox where state = 'parked'"):
            found.append(f"parked: {parked}")
        if len(self.homeserver.state) != ROOMS:
            found.append(f"{len(self.homeserver.state)} rooms")
        if self.ana.unreadable:
            found.append(f"{len(self.ana.unreadable)} events that an agent cannot read")
        last = [seen.body[:200] for seen in self._heard()[-4:]]
        return [*found, f"the last words: {last}"] if found else []

    def _announcements(self) -> list[Seen]:
        return [seen for seen in self._heard() if not (seen.thread or seen.replaces) and "#1 " in seen.body]

    def _reactions(self) -> Counter[str]:
        related = [
            event["content"]["m.relates_to"]
            for event in self.homeserver.sent(self._room, "m.reaction")
            if event["sender"] == BOT
        ]
        return Counter(f"{each.get('event_id')} {each.get('key')}" for each in related)

    def _missing(self, bodies: Counter[str]) -> Iterator[str]:
        unclear = any("UNCLEAR" in words for words in bodies)
        mails = len(self.catcher.caught)
        if mails > 1 or not (mails or unclear):
            yield f"{mails} mails, {'told as unclear' if unclear else 'not told as unclear'}"
        end = "UNCLEAR" if unclear else "Left at"
        heard = "My wifi is gone" if self.letter == PLAIN else "home Wi-Fi"
        for words in (heard, DONE_KEY, "This is going to leave", end):
            if not any(words in body for body in bodies):
                yield f"never said: {words}"


def _is_fault(end: BaseException | None) -> bool:
    return isinstance(end, Exception)


@contextlib.asynccontextmanager
async def story(
    of: Model, folder: Path, *, calm: bool = False, is_new: bool = False, **how: Any
) -> AsyncIterator[Story]:
    """Set the scene; unless `calm`, the homeserver is in a bad mood, the same in each run.

    `is_new`: the desk has never been started. `how` goes into the plan.
    """
    async with contextlib.AsyncExitStack() as stack:
        homeserver = await stack.enter_async_context(FakeHomeserver())
        catcher = await stack.enter_async_context(Catcher())
        of.furnish(folder, homeserver, catcher.port, is_new=is_new)
        ana = await log_in(homeserver, folder)
        stack.push_async_callback(ana.close)
        if not calm:
            spoil(homeserver)
        yield Story(Plan(str(folder), time.time(), **how), homeserver, catcher, ana)
    shutil.rmtree(folder)


def spoil(homeserver: FakeHomeserver) -> None:
    """Let the homeserver fail the desk a few times."""
    for fault, where, skip in (
        (Fault.LOSE, "/send/", 0),
        (Fault.TOO_MANY, "/send/", 2),
        (Fault.ERROR, "/send/", 4),
        (Fault.LOSE, "/sendToDevice/", 0),
    ):
        homeserver.script(fault, "PUT", where, skip=skip, retry_after_ms=20, token=BOTS_TOKEN)
    homeserver.script(Fault.LOSE, "POST", "/createRoom$", token=BOTS_TOKEN)
