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

from helproom.homeserver import free_port
from mail.catcher import Catcher
from mail.openpgp import Keyring
from storage.migrating import migrate
from storage.models import Room
from storage.sealing import Vault
from storage.states import RoomPurpose, RoomState
from storage.unit import Units, open_engine
from tests.crash.desk_program import ADDRESS, ANA, BOT, MASTER_KEY, OPERATORS, PASSPHRASE, ROOM, Plan
from tests.crash.tracing import Life, Nursery
from tests.faults.fakehs import FakeHomeserver, Fault

SAMPLES = Path(__file__).parent.parent / "mails" / "whisperback"
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


class End(Enum):
    """How the traced life ended."""

    KILLED = "killed"
    STALLED = "stalled"
    """Its child was killed again and again."""
    UNTOUCHED = "untouched"
    """The call was never made so often."""


@dataclass(frozen=True)
class Model:
    """An empty desk, copied for each run, and the keys that all share."""

    folder: Path
    fingerprint: str

    @property
    def gnupg(self) -> Path:
        return self.folder / "gnupg"

    @property
    def database(self) -> Path:
        return self.folder / "desk.db"


@contextlib.asynccontextmanager
async def model(folder: Path) -> AsyncIterator[Model]:
    """Make the model; its GnuPG agent runs for the time of the block."""
    (folder / "gnupg").mkdir(mode=0o700)
    keyring = Keyring(folder / "gnupg", passphrase=PASSPHRASE)
    fingerprint = keyring.import_secret_key((SAMPLES / "TEST-ONLY-helpdesk-secret-key.asc").read_bytes())
    units = Units(open_engine(f"sqlite:///{folder / 'desk.db'}"), Vault(MASTER_KEY))
    await migrate(units.engine)
    async with units() as unit:
        for purpose, queue, room in (
            (RoomPurpose.QUEUE, "en", ROOM),
            (RoomPurpose.OPERATORS, None, OPERATORS),
        ):
            await unit.rooms.add(
                Room(ref=room, purpose=purpose, queue=queue, state=RoomState.OPEN, room_id=room)
            )
    await units.close()
    try:
        yield Model(folder, fingerprint)
    finally:
        keyring.close()


@dataclass
class Story:
    """A run: the world around one desk."""

    plan: Plan
    homeserver: FakeHomeserver
    catcher: Catcher
    letter: bytes = PLAIN
    acknowledged: bool = False
    heard_at: float = 0.0
    """When the last answer came from the LMTP door."""
    announced: str = ""
    end: End = End.UNTOUCHED
    faults: list[str] = field(default_factory=list)

    async def tell(self, nursery: Nursery, options: tuple[str, ...]) -> None:
        """Live one traced life, and after its death another without tracer, up to the end of the story."""
        life = await nursery.bear(self.plan, *options)
        people = [asyncio.create_task(work) for work in (self.post(), self._command())]
        try:
            if not await self._watch(life, STALL_SECONDS):
                self.end = End.STALLED if life.lives else End.KILLED
                await life.end()
                life = await nursery.bear(self.plan)
                if not await self._watch(life, END_SECONDS):
                    self.faults.append("the story does not come to its end")
        finally:
            for each in people:
                each.cancel()
            await asyncio.gather(*people, return_exceptions=True)
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
        return not self._ask("select count(*) from letter")

    def _has_ended(self) -> bool:
        if not self._ask("select count(*) from message where state in ('sent', 'unclear', 'failed')"):
            return False
        waiting = "select count(*) from outbox where state in ('pending', 'sending')"
        return not self._ask(waiting) and not self._ask("select count(*) from event where state = 'new'")

    def _ask(self, query: str) -> int:
        with contextlib.closing(sqlite3.connect(f"{self.plan.folder}/desk.db", timeout=10)) as database:
            return int(database.execute(query).fetchone()[0])

    async def post(self) -> None:
        """Hand in the letter as a mail server does: again and again until there is a 250."""
        while not self.acknowledged:
            self.acknowledged = await asyncio.to_thread(self._hand_in)
            self.heard_at = time.monotonic()
            await asyncio.sleep(0.03)

    def _hand_in(self) -> bool:
        try:
            with smtplib.LMTP("127.0.0.1", self.plan.lmtp, timeout=20) as door:
                door.sendmail("ulla@user.example", [ADDRESS], self.letter)
        except (OSError, smtplib.SMTPException):
            return False
        return True

    async def _command(self) -> None:
        """Say all there is to say as soon as there is an announcement; hear nothing, repeat nothing."""
        while not self.announced:
            await asyncio.sleep(0.01)
            events = self.homeserver.sent(ROOM, "m.room.message")
            self.announced = events[0]["event_id"] if events else ""
        for words in SAYINGS:
            thread = {"rel_type": "m.thread", "event_id": self.announced}
            content = {"msgtype": "m.text", "body": words, "m.relates_to": thread}
            await self.homeserver.put_event(ROOM, ANA, "m.room.message", content)

    def judge(self) -> list[str]:
        """Return all that is wrong at the end."""
        said = [event for event in self.homeserver.sent(ROOM) if event["sender"] == BOT]
        bodies = Counter(_words(event) for event in said if _relation(event) != "m.replace")
        found = [*self.faults]
        found += [f"said {count} times: {words[:60]}" for words, count in bodies.items() if count > 1]
        if len(self._announcements()) != 1:
            found.append(f"{len(self._announcements())} announcements")
        found += self._missing(bodies)
        found += [
            f"{self._ask(f'select count(*) from {query}')} instead of 1: {query}"
            for query in (
                "ticket",
                "letter",
                f"ticket where owner = '{ANA}'",
                "message where kind = 'in'",
                "message where kind = 'out'",
            )
            if self._ask(f"select count(*) from {query}") != 1
        ]
        if self._ask("select count(*) from outbox where state = 'parked'"):
            found.append("a row is parked")
        return found

    def _announcements(self) -> list[dict[str, Any]]:
        messages = self.homeserver.sent(ROOM, "m.room.message")
        return [event for event in messages if event["sender"] == BOT and not _relation(event)]

    def _missing(self, bodies: Counter[str]) -> Iterator[str]:
        unclear = any("UNCLEAR" in words for words in bodies)
        mails = len(self.catcher.caught)
        if mails > 1 or not (mails or unclear):
            yield f"{mails} mails, {'told as unclear' if unclear else 'not told as unclear'}"
        end = "UNCLEAR" if unclear else "The answer has left"
        heard = "My wifi is gone" if self.letter == PLAIN else "home Wi-Fi"
        for words in (heard, "is yours", "This is going to leave", end):
            if not any(words in body for body in bodies):
                yield f"never said: {words}"


def _relation(event: dict[str, Any]) -> str:
    return str(event["content"].get("m.relates_to", {}).get("rel_type", ""))


def _words(event: dict[str, Any]) -> str:
    relation = event["content"].get("m.relates_to", {})
    return str(event["content"].get("body") or f"{relation.get('event_id')} {relation.get('key')}")


@contextlib.asynccontextmanager
async def story(of: Model, folder: Path, *, calm: bool = False, **how: Any) -> AsyncIterator[Story]:
    """Set the scene; unless `calm`, the homeserver is in a bad mood, the same in each run.

    `how` goes into the plan.
    """
    folder.mkdir()  # noqa: ASYNC240 - nothing else goes on here
    shutil.copy(of.database, folder / "desk.db")
    async with FakeHomeserver() as homeserver, Catcher() as catcher:
        await homeserver.make_room(ROOM, BOT, ANA)
        await homeserver.make_room(OPERATORS, BOT, ANA)
        homeserver._tokens["secret"] = (BOT, "DESK")
        if not calm:
            homeserver.script(Fault.LOSE, "PUT", "/send/")
            homeserver.script(Fault.TOO_MANY, "PUT", "/send/", skip=2, retry_after_ms=20)
            homeserver.script(Fault.ERROR, "PUT", "/send/", skip=4)
        plan = Plan(
            folder=str(folder),
            gnupg=str(of.gnupg),
            fingerprint=of.fingerprint,
            homeserver=homeserver.url,
            token="secret",
            lmtp=free_port(),
            smtp=catcher.port,
            began=time.time(),
            **how,
        )
        yield Story(plan, homeserver, catcher)
    shutil.rmtree(folder)
