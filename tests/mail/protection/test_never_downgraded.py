# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whatever the ticket, the keys, the words and the way they take: the wire sees ciphertext, or nothing."""

import base64
import dataclasses
import datetime as dt
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import commands
from commands.context import Context
from commands.event import EventKind, RoomEvent
from desk.context import Work
from desk.intake import auto_reply
from desk.intake.context import Arrival
from desk.keys import decisions
from desk.keys.decisions import Decision
from desk.keys.offers import keep
from desk.keys.standing import USED
from desk.letters.opened import Encryption, EncryptionState, Headers, OfferedKey, Opened
from desk.replies import attaching, previews
from desk.replies.attaching import FETCH, AttachRequest, Fetched, wish_of
from desk.replies.protection import Path
from desk.tickets.threads import Thread
from desk.world import Refusal
from storage.models import KeyState, Letter, Message, MessageKind, OutboxState
from storage.queries.tickets import NewTicket
from storage.sealing.columns import to_json
from storage.sealing.vault import address_tag
from tests.mail.people import Desk, Person
from tests.mail.sending import deliver, mail_row
from tests.services.mailserver import MailServer
from tests.worlds.desk import with_replies
from tests.worlds.mail import AGENT, MailDesk, mail_desk_at

SECRET_SUBJECT, SECRET_TEXT, SECRET_VERSION = "Zanzibar", "my landlord is called Quetzal", "9.87xylophone"
WORDS, REQUEST = "These are new words.", "Please send us your public key."
SECRET_NAME, SECRET_CONTENT = "xylophone.png", b"a picture of Quetzal " * 9
PLAIN_WORDS = f"!reply --plain {WORDS}"
A_LETTER_COMES = "(a letter comes, and is answered by template)"
EVERY_WAY = {
    Path.ANSWER: (
        f"!reply {WORDS}",
        "!reply tell",
        "!key ask",
        f"!reply tell\n{WORDS}",
        f"!reply --quote {WORDS}",
        f"!reply --quote tell\n{WORDS}",
    ),
    Path.AUTOMATIC: (A_LETTER_COMES,),
    Path.PLAIN: (
        PLAIN_WORDS,
        "!reply --plain tell",
        f"!reply --plain > {SECRET_TEXT}",
        f"!reply --plain --quote {WORDS}",
        f"!reply --quote --plain {WORDS}",
    ),
    Path.KEY_REQUEST: ("!key ask", f"!key ask {WORDS}"),
}
"""What agents can say, or what happens, to let a mail leave; a new path must be tried here, too."""


@dataclass(frozen=True)
class Case:
    """A ticket, what is known of its user's key before the answer and before it leaves, and what is said."""

    confidential: bool
    key: KeyState | None
    expires_in: int | None
    then: KeyState | None
    turns_confidential: bool
    all_keys_go: bool
    """Whether, before it leaves, nothing is known any more of any key."""
    files: int
    """How many wait for the answer; another one comes when it is held."""
    late: bool
    """Whether that happens after `!send`, when only the sender can stop the mail."""
    forgets: bool = False
    """Whether somebody has the user's keys forgotten then."""
    moves: bool = False
    """Whether it turns out then that the user is somebody else."""
    said: str = ""


STATES = st.sampled_from([None, *USED, KeyState.CHANGED, KeyState.REFUSED, KeyState.REPLACED])
CASES = st.builds(
    Case,
    confidential=st.booleans(),
    key=STATES,
    expires_in=st.sampled_from([None, -1, 30, 3600]),
    then=STATES,
    turns_confidential=st.booleans(),
    all_keys_go=st.booleans(),
    files=st.sampled_from([0, 0, 1, 2]),
    late=st.booleans(),
    forgets=st.booleans(),
    moves=st.sampled_from([False, False, False, True]),
)


@dataclass
class Wire:
    """The desk, and the mail server that shows what the world sees."""

    office: MailDesk
    server: MailServer
    alice: Person
    numbers: "itertools.count[int]" = dataclasses.field(default_factory=itertools.count)
    promised: bool = False
    """The last preview said that the answer leaves encrypted."""
    shown_to: str = ""
    """To whom the last ticket's answer is to go, as its preview says."""

    async def ticket(self, case: Case) -> int:
        """Open a ticket of a user nobody knew, with the case's key."""
        address = self.shown_to = f"user{next(self.numbers)}@user.example"
        now = self.office.world.now()
        async with self.office.units() as unit:
            ticket = await unit.tickets.add(
                NewTicket(
                    ref=self.office.world.token(),
                    queue="help",
                    mailbox="help",
                    language="en",
                    language_confidence=None,
                    opened_at=now,
                    confidential=case.confidential,
                    encryption="none",
                    signature="none",
                    kind="e-mail",
                    contact=address,
                    subject=SECRET_SUBJECT,
                    tails_version=SECRET_VERSION,
                )
            )
            letter = Message(ref=self.office.world.token(), ticket=ticket, kind=MessageKind.IN, at=now)
            letter.text, letter.subject, letter.message_id = (
                SECRET_TEXT,
                SECRET_SUBJECT,
                "<secret@user.example>",
            )
            letter.details = to_json(
                {
                    "encryption_state": "ok" if case.confidential else "none",
                    "from_contact": True,
                    "writer": address,
                }
            )
            await unit.messages.add(letter)
            if case.key is not None:
                end = None if case.expires_in is None else now + dt.timedelta(seconds=case.expires_in)
                key = OfferedKey(self.alice.fingerprint, "attached", self.alice.public, end)
                await keep(self.office.work(unit), ticket.contact_tag or "", key, case.key)
            return ticket.id

    async def say(self, number: int, line: str) -> bool:
        """Say something in a ticket's thread, from a verified device; tell whether it was not refused."""
        try:
            async with self.office.units() as unit:
                ticket = await unit.tickets.get(number)
                room = await unit.rooms.of_queue("help")
                assert room is not None
                facts: dict[str, Any] = {"body": line, "thread_root": "$root", "verified": True}
                now, thread = self.office.world.now(), Thread(ticket, "$root", goes_on=True)
                event = RoomEvent("", "", AGENT, EventKind.MESSAGE, now, **facts)
                await commands.run(Context(event, room, self.office.work(unit), thread))
        except Refusal:
            return False
        return True

    async def attach(self, number: int) -> None:
        """Let a file come that was asked for: with the held answer, or with the next."""
        async with self.office.units() as unit:
            ticket, room = await unit.tickets.get(number, lock=True), await unit.rooms.of_queue("help")
            assert ticket is not None
            assert room is not None
            wish = AttachRequest(AGENT, "$said", "$root", None)
            try:
                await attaching.ask(self.office.work(unit), ticket, room, wish)
            except Refusal:
                return
            rows = await unit.outbox.in_state(OutboxState.PENDING)
            row = max((each for each in rows if each.kind == FETCH.name), key=lambda each: each.id)
            enclosure, _ = wish_of(row.payload or "")
            file = Fetched(f"$file{enclosure}", SECRET_NAME, "image/png", SECRET_CONTENT)
            await attaching.fetched(self.office.work(unit), row.id, enclosure, file)

    async def answer_first(self, number: int) -> bool:
        """Answer by template, as when a ticket is new; tell whether a mail is to leave."""
        headers = Headers(sender="user@user.example")
        opened = Opened("plain", Encryption(EncryptionState.NONE), headers, SECRET_TEXT)
        async with self.office.units() as unit:
            ticket = await unit.tickets.get(number, lock=True)
            assert ticket is not None
            arrival = Arrival(Letter(), opened, self.office.config.queue("help"), ())
            config = with_replies(self.office.config, first_answer="tell", most_first_answers=1000)
            await auto_reply.give(Work(unit, self.office.world, config), arrival, ticket)
            rows = await unit.outbox.in_state(OutboxState.PENDING)
            return any(row.kind == "mail" and row.ticket_id == number for row in rows)

    async def meanwhile(self, number: int, case: Case) -> None:
        """Let the world change before the mail leaves."""
        async with self.office.units() as unit:
            ticket = await unit.tickets.get(number, lock=True)
            assert ticket is not None
            ticket.confidential = ticket.confidential or case.turns_confidential
            for key in await unit.keys.of(ticket.contact_tag or ""):
                key.state = case.then or key.state
                if case.all_keys_go:
                    await unit._session.delete(key)
            if case.forgets and case.key is not None and not case.all_keys_go:
                await decisions.forget(self.office.work(unit), ticket, Decision(AGENT, ""))
            if case.moves:
                ticket.contact = f"other{number}@user.example"
                ticket.contact_tag = address_tag(unit.vault, ticket.contact)

    async def leaves(self, number: int) -> bytes | None:
        """Let the newest mail leave, if it is of this ticket; return it as the mail server got it."""
        before = len(self.server.caught)
        row = await mail_row(self.office)
        assert row.ticket_id == number
        await deliver(self.office, self.server)
        if len(self.server.caught) == before:
            return None
        assert self.server.caught[-1].recipients == (self.shown_to,)
        return self.server.caught[-1].content

    async def answered(self, number: int, case: Case) -> bytes | None:
        """Answer as the case says; return what the mail server got, if anything left."""
        if case.files:
            await self.attach(number)
        if case.said == A_LETTER_COMES:
            if not await self.answer_first(number):
                return None
            await self.meanwhile(number, case)
            return await self.leaves(number)
        return await self.leaves(number) if await self.sent(number, case) else None

    async def sent(self, number: int, case: Case) -> bool:
        """Write an answer and send it, while the world changes; tell whether nothing was refused."""
        if not await self.say(number, case.said):
            return False
        self.promised = await self.is_shown_as_encrypted(number)
        for _ in range(case.files - 1):
            await self.attach(number)
        if not case.late:
            await self.meanwhile(number, case)
        if not await self.say(number, "!send"):
            return False
        if case.late:
            await self.meanwhile(number, case)
        return True

    async def is_shown_as_encrypted(self, number: int) -> bool:
        """Tell what the preview says of the held answer."""
        async with self.office.units() as unit:
            ticket = await unit.tickets.get(number)
            assert ticket is not None
            held = await unit.messages.open_reply(ticket)
            assert held is not None
            return "Protection: encrypted to" in previews.say_of(held).text

    async def now_is(self, number: int) -> tuple[bool, bool]:
        """Tell whether a ticket is confidential, and whether any key of its user is or was known."""
        async with self.office.units() as unit:
            ticket = await unit.tickets.get(number)
            assert ticket is not None
            tag = ticket.contact_tag or ""
            known = bool(await unit.keys.of(tag)) or await unit.keys.known_once(tag)
            return ticket.confidential, known


@pytest.fixture(name="wire")
async def make_wire(shaped: str, desk: Desk, alice: Person) -> AsyncIterator[Wire]:
    async with mail_desk_at(shaped, desk.keyring) as office, MailServer() as server:
        async with office.units() as unit:
            await unit.templates.write("tell", "en", "You have version {version}.")
            await unit.templates.write("key-ask", "en", "Is this your key? {fingerprint}")
            await unit.templates.write("key-ask-clear", "en", REQUEST)
            await unit.templates.write("quote", "en", "On {date} you wrote:")
        yield Wire(office, server, alice)


def test_every_path_is_tried_here() -> None:
    assert set(EVERY_WAY) == set(Path)


@pytest.mark.parametrize("path", Path)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=CASES, data=st.data())
async def test_the_wire_sees_ciphertext_or_nothing(
    wire: Wire, path: Path, case: Case, data: st.DataObject
) -> None:
    case = dataclasses.replace(case, said=data.draw(st.sampled_from(EVERY_WAY[path])))
    wire.promised = False
    number = await wire.ticket(case)
    mail = await wire.answered(number, case)
    if mail is None:
        return
    head = mail.partition(b"\r\n\r\n")[0]
    if b"multipart/encrypted" in head:
        assert not is_in(mail, WORDS, REQUEST, *SECRETS)
        assert b"Subject: ...\r\n" in head
        return
    assert b"multipart/signed" in head
    assert not wire.promised
    if path in {Path.PLAIN, Path.AUTOMATIC}:
        assert not is_in(mail, SECRET_SUBJECT, SECRET_TEXT, SECRET_NAME, SECRET_CONTENT)
    if any(await wire.now_is(number)) or case.confidential:
        assert case.said in {PLAIN_WORDS, "!key ask"}
        assert is_in(mail, WORDS if case.said == PLAIN_WORDS else REQUEST)
        assert b"secret@user.example" not in mail
        assert not is_in(mail, *SECRETS)


SECRETS = (SECRET_SUBJECT, SECRET_TEXT, SECRET_VERSION, SECRET_NAME, SECRET_CONTENT)


def is_in(mail: bytes, *words: str | bytes) -> bool:
    """Tell whether a mail holds one of these, as they are or in base64."""
    for word in words:
        raw = word.encode() if isinstance(word, str) else word
        if raw in mail or base64.b64encode(raw[: len(raw) // 3 * 3])[:40] in mail.replace(b"\r\n", b""):
            return True
    return False
