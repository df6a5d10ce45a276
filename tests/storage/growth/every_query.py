# SPDX-License-Identifier: AGPL-3.0-or-later
"""A call of each named query, as a desk with twenty thousand tickets makes it."""

import datetime as dt
import inspect
from collections.abc import Awaitable, Callable, Mapping

from storage.models import (
    Asker,
    Ciphertext,
    ContactKey,
    Event,
    EventState,
    KeyState,
    KnownOnce,
    LeftInMailbox,
    Letter,
    LetterState,
    MailboxAction,
    Message,
    MessageKind,
    Outbox,
    OutboxState,
    OutgoingFile,
    Room,
    RoomPurpose,
    RoomState,
    Ticket,
)
from storage.queries.letters import IncomingMail
from storage.queries.outbox import Patience
from storage.queries.problems import Span
from storage.queries.tickets import NewTicket
from storage.unit import Unit
from tests.storage.growth.many_tickets import NOW, QUEUES, TICKETS, tag

Call = Callable[[Unit], Awaitable[object]]

DAY = dt.timedelta(days=1)
TICKET = TICKETS - 1
"""A newer one, and closed."""
ROOM = 3
"""A queue's, with the rows of a quarter of all tickets."""
LETTER = 7
MESSAGE = 3 * TICKET
ANSWER = MESSAGE + 1
ROW = 4 * TICKET
PATIENCE = Patience({"say": DAY, "mail": DAY, "announce": DAY}, ["mail"])
SPAN = Span(NOW.date() - 2 * DAY, NOW.date())
MAIL = IncomingMail(queue="en", mail_from="kim@example.org", token=None, raw=b"mail")
NEW = NewTicket(
    ref="new",
    queue="en",
    mailbox="en",
    language="en",
    language_confidence=None,
    opened_at=NOW,
    confidential=True,
    encryption="encrypted",
    signature="none",
    kind="",
    contact=None,
    subject="",
)

NO_QUERY = {
    "journal.take_place": "asks is_replay",
    "letters.lease": "changes a row at hand",
    "messages.keep": "adds a row",
    "messages.message_id_tag": "asks nothing",
    "outside.place": "asks nothing",
}
"""What needs no call of its own."""

LOOKS_AT_ALL = {
    "keys.every": "returns all",
    "letters.counts": "only benchmarks ask it",
    "messages.shut": "asked once after secret keys were imported",
    "pins.every": "returns all",
    "problems.without": "PostgreSQL may read all links for it; only `!top` asks it",
    "templates.every": "returns all",
}
"""What may cost more with each ticket, and why."""


async def _ticket(unit: Unit) -> Ticket:
    found = await unit.tickets.get(TICKET)
    assert found is not None
    return found


async def _message(unit: Unit, number: int = ANSWER) -> Message:
    found = await unit.messages.get(number)
    assert found is not None
    return found


async def _letter(unit: Unit) -> Letter:
    found = await unit.letters.get(LETTER)
    assert found is not None
    return found


def _event(number: str = "$new", state: EventState = EventState.NEW) -> Event:
    return Event(event_id=number, room_id="!3:x", state=state, heard_at=NOW)


def _outside() -> Letter:
    return Letter(
        ref="outside",
        received_at=NOW,
        due_at=NOW,
        source="imap",
        state=LetterState.QUARANTINED,
        tries=0,
        queue="en",
        digest=tag("o", 1),
    )


def _file() -> OutgoingFile:
    return OutgoingFile(ref="new", ticket_id=TICKET, asked_at=NOW)


def _key() -> ContactKey:
    return ContactKey(
        ref="new",
        contact_tag=tag("c", 1),
        source="autocrypt",
        state=KeyState.SEEN,
        prefers_encryption=True,
        letters=1,
        seen_at=NOW,
        last_seen_at=NOW,
    )


_EACH: Mapping[str, Call] = {
    "accounting.census": lambda unit: unit.accounting.census(NOW - DAY, NOW),
    "accounting.newest_arrival": lambda unit: unit.accounting.newest_arrival(NOW),
    "accounting.waiting_since_before": lambda unit: unit.accounting.waiting_since_before(NOW - DAY),
    "facts.get": lambda unit: unit.facts.get("a"),
    "facts.set": lambda unit: unit.facts.set("a", "b"),
    "journal.add": lambda unit: unit.journal.add(_event(), "{}", sender="@ana:x", place="a"),
    "journal.note": lambda unit: unit.journal.note(_event("$other"), sender="@ana:x", place="b"),
    "journal.is_replay": lambda unit: unit.journal.is_replay("$event7", "a"),
    "journal.known": lambda unit: unit.journal.known(["$event7", "$event8"]),
    "journal.by_event": lambda unit: unit.journal.by_event("$event7", lock=True),
    "journal.is_edit_unread": lambda unit: unit.journal.is_edit_unread("$event3999"),
    "journal.next_new": lambda unit: unit.journal.next_new(),
    "journal.get": lambda unit: unit.journal.get(7),
    "journal.undecryptable": lambda unit: unit.journal.undecryptable(),
    "keys.held": lambda unit: unit.keys.held(tag("c", 7)),
    "keys.of": lambda unit: unit.keys.of(tag("c", 7)),
    "keys.of_any": lambda unit: unit.keys.of_any([tag("c", 7), tag("c", 8)]),
    "keys.add": lambda unit: unit.keys.add(_key(), fingerprint="new", armor=b""),
    "keys.known_once": lambda unit: unit.keys.known_once(tag("c", 7)),
    "keys.oldest": lambda unit: unit.keys.oldest(),
    "keys.every": lambda unit: unit.keys.every(),
    "letters.keep": lambda unit: unit.letters.keep(MAIL, ref="new", at=NOW, source="lmtp"),
    "letters.waiting": lambda unit: unit.letters.waiting(NOW, 50),
    "letters.due": lambda unit: unit.letters.due(NOW, [TICKETS - 1, TICKETS - 2]),
    "letters.end_leases": lambda unit: unit.letters.end_leases(),
    "letters.hold_same": lambda unit: unit.letters.hold_same(tag("m", 7)),
    "letters.whole": lambda unit: unit.letters.whole(LETTER),
    "letters.first_with": lambda unit: unit.letters.first_with(Ciphertext(tag=tag("x", 0), seen_at=NOW)),
    "letters.get": lambda unit: unit.letters.get(LETTER, lock=True),
    "letters.begun_since": lambda unit: unit.letters.begun_since(NOW - DAY / 24, tag("s", 7)),
    "letters.held": lambda unit: unit.letters.held("it is odd", sender_tag=tag("s", 7), before=LETTER),
    "letters.like": lambda unit: unit.letters.like(tag("m", 7), besides=LETTER),
    "letters.aside": lambda unit: unit.letters.aside("en"),
    "letters.counts": lambda unit: unit.letters.counts(),
    "messages.get": lambda unit: unit.messages.get(MESSAGE, lock=True),
    "messages.of_letter": lambda unit: unit.messages.of_letter(LETTER),
    "messages.by_message_id": lambda unit: unit.messages.by_message_id(["a", "b"]),
    "messages.automatic_since": lambda unit: unit.messages.automatic_since(NOW - DAY, tag("c", 7)),
    "messages.shut": lambda unit: unit.messages.shut("undecryptable"),
    "messages.asked_by": lambda unit: unit.messages.asked_by(f"$reply{TICKET}"),
    "messages.due_replies": lambda unit: unit.messages.due_replies(NOW),
    "messages.held_until_after": lambda unit: unit.messages.held_until_after(NOW),
    "messages.next_hold": lambda unit: unit.messages.next_hold(),
    "outbox.heads": lambda unit: unit.outbox.heads(NOW, PATIENCE),
    "outbox.head_of": lambda unit: unit.outbox.head_of(f"room:{ROOM}", NOW, PATIENCE),
    "outbox.next_due": lambda unit: unit.outbox.next_due(NOW),
    "outbox.get": lambda unit: unit.outbox.get(ROW),
    "outbox.by_event": lambda unit: unit.outbox.by_event(f"$row{ROW}"),
    "outbox.newest": lambda unit: unit.outbox.newest("ping", ROOM),
    "outbox.announcements": lambda unit: unit.outbox.announcements(TICKET),
    "outbox.pending": lambda unit: unit.outbox.pending("announce.edit", ticket=TICKET),
    "outbox.is_pending": lambda unit: unit.outbox.is_pending("announce", [f"room:{ROOM}"]),
    "outbox.of_message": lambda unit: unit.outbox.of_message("preview", ANSWER),
    "outbox.in_state": lambda unit: unit.outbox.in_state(OutboxState.PENDING, OutboxState.PARKED),
    "outbox.waiting_for": lambda unit: unit.outbox.waiting_for(ROOM),
    "outbox.sent_to": lambda unit: unit.outbox.sent_to(11),
    "outside.is_known": lambda unit: unit.outside.is_known(tag("d", 7)),
    "outside.of": lambda unit: unit.outside.of(LETTER),
    "outside.place_of": lambda unit: unit.outside.place_of(LETTER),
    "outside.wished": lambda unit: unit.outside.wished("mailbox"),
    "outside.asked": lambda unit: unit.outside.asked(LETTER),
    "pins.every": lambda unit: unit.pins.every(),
    "pins.get": lambda unit: unit.pins.get("@ana:x"),
    "pins.put": lambda unit: unit.pins.put("@ana:x", "key", NOW),
    "pins.drop": lambda unit: unit.pins.drop("@ana:x"),
    "problems.by_issue": lambda unit: unit.problems.by_issue(17_001),
    "problems.people": lambda unit: unit.problems.people(SPAN, [1, 2]),
    "problems.people_by_language": lambda unit: unit.problems.people_by_language(SPAN, [1, 2]),
    "problems.people_by_version": lambda unit: unit.problems.people_by_version(SPAN, [1, 2]),
    "problems.top": lambda unit: unit.problems.top(SPAN, 10),
    "problems.without": lambda unit: unit.problems.without(SPAN),
    "problems.get": lambda unit: unit.problems.get(1),
    "rooms.get": lambda unit: unit.rooms.get(ROOM),
    "rooms.by_room_id": lambda unit: unit.rooms.by_room_id("!3:x"),
    "rooms.of_queue": lambda unit: unit.rooms.of_queue("fr"),
    "rooms.of_operators": lambda unit: unit.rooms.of_operators(lock=True),
    "rooms.of_ticket": lambda unit: unit.rooms.of_ticket(TICKET),
    "rooms.all_open": lambda unit: unit.rooms.all_open(),
    "rooms.lasting": lambda unit: unit.rooms.lasting(),
    "rooms.disposable": lambda unit: unit.rooms.disposable(),
    "rooms.ended": lambda unit: unit.rooms.ended(NOW),
    "rooms.ending_after": lambda unit: unit.rooms.ending_after(NOW),
    "templates.every": lambda unit: unit.templates.every(),
    "templates.by_name": lambda unit: unit.templates.by_name("a"),
    "templates.write": lambda unit: unit.templates.write("a", "en", "text"),
    "tickets.add": lambda unit: unit.tickets.add(NEW),
    "tickets.get": lambda unit: unit.tickets.get(TICKET, lock=True),
    "tickets.by_event": lambda unit: unit.tickets.by_event(f"$ticket{TICKET}", lock=True),
    "tickets.by_reply_tag": lambda unit: unit.tickets.by_reply_tag(tag("r", TICKET)),
    "tickets.existing": lambda unit: unit.tickets.existing([1, 2, TICKET]),
    "tickets.marked": lambda unit: unit.tickets.marked([tag("f", 7), tag("f", 8)]),
    "tickets.by_whisperback_id": lambda unit: unit.tickets.by_whisperback_id("0123456789abcdef"),
    "tickets.older_than": lambda unit: unit.tickets.older_than(TICKET, 5),
    "tickets.open_in": lambda unit: unit.tickets.open_in(QUEUES[0]),
    "tickets.left_in": lambda unit: unit.tickets.left_in(QUEUES[0]),
}


async def _drop_key(unit: Unit) -> None:
    await unit.keys.drop((await unit.keys.of(tag("c", 7)))[0])
    await unit.flush()


async def _forget_keys(unit: Unit) -> None:
    mark = KnownOnce(contact_tag=tag("c", 7), forgotten_at=NOW)
    await unit.keys.forget(await unit.keys.of(tag("c", 7)), mark)
    await unit.flush()


async def _take_in_from_outside(unit: Unit) -> None:
    letter = _outside()
    lies = LeftInMailbox(mailbox="mailbox", likeness="", size=1, wish=MailboxAction.TAKE)
    await unit.outside.ask(Asker(letter_id=LETTER, room=ROOM))
    await unit.letters.note_outside(letter, lies)
    await unit.letters.bring_in(letter, MAIL, NOW)
    await unit.flush()
    await unit.outside.forget(lies)
    asker = await unit.outside.asked(LETTER)
    assert asker is not None
    await unit.outside.forget_asker(asker)
    await unit.flush()


async def _lease(unit: Unit) -> None:
    [letter] = await unit.letters.due(NOW, [TICKETS - 1])
    unit.letters.lease(letter, NOW)
    await unit.flush()
    await unit.letters.give_back(letter.id, letter.leased_until)
    await unit.flush()


async def _read_letter(unit: Unit) -> None:
    letter = await _letter(unit)
    letter.raw_sealed = None
    await unit.flush()
    await unit.letters.raw(letter)


async def _say_in_ticket(unit: Unit) -> None:
    ticket = await _ticket(unit)
    added = Message(ref="new", ticket_id=ticket.id, kind=MessageKind.NOTE, at=NOW)
    await unit.messages.add(added)
    await unit.messages.of(ticket)
    await unit.messages.newest_in(ticket, until=NOW)
    await unit.messages.open_reply(ticket, lock=True)


async def _attach(unit: Unit) -> None:
    ticket, message = await _ticket(unit), await _message(unit)
    file = await unit.enclosures.add(_file())
    await unit.enclosures.get(file.id)
    await unit.enclosures.waiting(ticket)
    await unit.enclosures.of(message, contents=True)
    await unit.enclosures.by_event("$file7")
    await unit.enclosures.any_fetched()
    await unit.enclosures.besides_leaving(ticket)
    await unit.enclosures.drop(file)


async def _link(unit: Unit) -> None:
    ticket = await _ticket(unit)
    problem, _ = await unit.problems.link(ticket, 20_000, by="@ana:x", at=NOW)
    await unit.problems.tickets(problem)
    await unit.problems.update_sightings(ticket)
    await unit.problems.unlink(ticket, 20_000)


async def _make_room(unit: Unit) -> None:
    room = Room(ref="new", purpose=RoomPurpose.DISPOSABLE, state=RoomState.WANTED, ticket_id=TICKET)
    await unit.rooms.lock(await unit.rooms.add(room))


async def _remove_template(unit: Unit) -> None:
    await unit.templates.remove(await unit.templates.write("b", "en", "text"), None)


async def _tag(unit: Unit) -> None:
    ticket = await _ticket(unit)
    await unit.tickets.tag(ticket, "new")
    await unit.tickets.untag(ticket, "new")
    await unit.tickets.mark(ticket, ["new"])
    await unit.flush()


async def _post(unit: Unit) -> None:
    row = Outbox(
        ref="new", kind="say", lane=f"room:{ROOM}", state=OutboxState.PENDING, created_at=NOW, due_at=NOW
    )
    unit.outbox.add(row, "{}")
    await unit.flush()


_TOGETHER: Mapping[tuple[str, ...], Call] = {
    ("keys.drop",): _drop_key,
    ("keys.forget",): _forget_keys,
    (
        "letters.note_outside",
        "letters.bring_in",
        "outside.ask",
        "outside.forget",
        "outside.forget_asker",
    ): _take_in_from_outside,
    ("letters.leased", "letters.give_back"): _lease,
    ("letters.raw",): _read_letter,
    ("messages.add", "messages.of", "messages.newest_in", "messages.open_reply"): _say_in_ticket,
    (
        "enclosures.add",
        "enclosures.get",
        "enclosures.waiting",
        "enclosures.of",
        "enclosures.by_event",
        "enclosures.any_fetched",
        "enclosures.besides_leaving",
        "enclosures.drop",
    ): _attach,
    ("problems.link", "problems.unlink", "problems.tickets", "problems.update_sightings"): _link,
    ("rooms.add", "rooms.lock"): _make_room,
    ("templates.remove",): _remove_template,
    ("tickets.tag", "tickets.untag", "tickets.mark"): _tag,
    ("outbox.add",): _post,
}
"""Queries that need a row of another."""

CALLS: Mapping[str, Call] = {**_EACH, **{", ".join(names): call for names, call in _TOGETHER.items()}}


def called() -> set[str]:
    """Return the names of all queries that are called."""
    return {*_EACH, *(name for names in _TOGETHER for name in names)}


def queries() -> set[str]:
    """Return the names of all named queries that there are, `noun.name`."""
    return {
        f"{noun}.{name}"
        for noun, descriptor in vars(Unit).items()
        if (kind := getattr(descriptor, "_queries", None)) is not None
        for name, function in vars(kind).items()
        if inspect.isfunction(function) and not name.startswith("_")
    }
