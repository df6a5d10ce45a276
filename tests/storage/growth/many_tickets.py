# SPDX-License-Identifier: AGPL-3.0-or-later
"""Fills a database as twenty thousand tickets leave it, nearly all of them closed."""

import datetime as dt
from collections.abc import Iterator
from functools import cache
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from storage.models import (
    ANNOUNCEMENT,
    Base,
    Ciphertext,
    ContactKey,
    Event,
    EventState,
    KeyState,
    Letter,
    LetterState,
    Link,
    Message,
    MessageKind,
    Outbox,
    OutboxState,
    OutgoingFile,
    Problem,
    ReplyState,
    Room,
    RoomPurpose,
    RoomState,
    Side,
    Sighting,
    Tag,
    Ticket,
    TicketReference,
)

TICKETS = 20_000
OPEN_EACH = 200
"""One in so many tickets is open, one in as many letters is in quarantine, and so on."""
START = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
APART = dt.timedelta(minutes=20)
NOW = START + TICKETS * APART
AGENT = "@ana:example.org"
QUEUES = ("en", "fr", "de", "es")
CLOSED_ROOMS = 2000
ISSUES = 200

_KEY = b"key"
_ANSWER = 1

Rows = Iterator[dict[str, Any]]


def tag(kind: str, number: int) -> str:
    """Return what stands in a column of tags."""
    return f"{ord(kind):02x}{number:030x}"


def when(number: int) -> dt.datetime:
    """Return when a ticket was opened."""
    return START + number * APART


def is_open(number: int) -> bool:
    """Tell whether a ticket is not closed: old ones too."""
    return number % OPEN_EACH == 0


async def fill(engine: AsyncEngine) -> None:
    """Write all rows."""
    async with engine.begin() as connection:
        for table, rows in (
            (Problem, _problems()),
            (Ticket, _tickets()),
            (Room, _rooms()),
            (Letter, _letters()),
            (Message, _messages()),
            (Outbox, _outbox()),
            (Event, _events()),
            (Tag, _tags()),
            (Link, _links()),
            (Sighting, _sightings()),
            (TicketReference, _references()),
            (Ciphertext, _ciphertexts()),
            (ContactKey, _keys()),
            (OutgoingFile, _files()),
        ):
            await _insert(connection, table, list(rows))
        if connection.dialect.name == "postgresql":
            await _set_sequences(connection)
            # It does so by itself; SQLite only if told, and then takes a rare state for a common one.
            await connection.execute(text("ANALYZE"))


async def _insert(connection: AsyncConnection, table: type[Base], rows: list[dict[str, Any]]) -> None:
    """Hand rows to the driver itself, as SQLAlchemy takes ten times as long."""
    columns = list(rows[0])
    name = table.__tablename__
    driver: Any = (await connection.get_raw_connection()).driver_connection
    if connection.dialect.name == "postgresql":
        records = [tuple(row[column] for column in columns) for row in rows]
        await driver.copy_records_to_table(name, records=records, columns=columns)
    else:
        places = ", ".join("?" * len(columns))
        words = f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({places})"
        await driver.executemany(words, [tuple(_plain(row[column]) for column in columns) for row in rows])


def _plain(value: Any) -> Any:
    """Return a time as SQLite has it."""
    return _text(value) if isinstance(value, dt.datetime) else value


@cache
def _text(time: dt.datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S.%f")


async def _set_sequences(connection: AsyncConnection) -> None:
    for table in (
        "ticket",
        "letter",
        "message",
        "outbox",
        "event",
        "room",
        "problem",
        "contact_key",
        "sighting",
        "enclosure",
    ):
        await connection.execute(
            text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))")
        )


def _problems() -> Rows:
    for number in range(1, ISSUES + 1):
        yield {"id": number, "issue": 17_000 + number}


def _rooms() -> Rows:
    fixed = {"ends_at": None, "ticket_id": None, "queue": None, "state": RoomState.OPEN}
    yield {**fixed, "id": 1, "ref": "room 1", "purpose": RoomPurpose.OPERATORS, "room_id": "!1:x"}
    for number, queue in enumerate(QUEUES, 2):
        room = {"id": number, "ref": f"room {number}", "queue": queue, "room_id": f"!{number}:x"}
        yield {**fixed, **room, "purpose": RoomPurpose.QUEUE}
    for number in range(10, 10 + CLOSED_ROOMS):
        yield {
            "id": number,
            "ref": f"room {number}",
            "purpose": RoomPurpose.DISPOSABLE,
            "queue": None,
            "state": RoomState.OPEN if is_open(number) else RoomState.CLOSED,
            "room_id": f"!{number}:x",
            "ticket_id": number,
            "ends_at": when(number),
        }


def _tickets() -> Rows:
    for number in range(1, TICKETS + 1):
        at = when(number)
        yield {
            "id": number,
            "ref": f"ticket {number}",
            "wrapped_key": _KEY,
            "queue": QUEUES[number % len(QUEUES)],
            "mailbox": "en",
            "language": "en",
            "opened_at": at,
            "closed_at": None if is_open(number) else at + APART,
            "last_public": Side.USER if is_open(number) and number % 3 else Side.DESK,
            "last_public_at": at,
            "read_up_to": 0,
            "confidential": True,
            "encryption": "encrypted",
            "signature": "none",
            "kind": "Wi-Fi",
            "whisperback_tag": tag("w", number),
            "contact_tag": tag("c", number // 2),
            "reply_tag": tag("r", number),
            "event_id": f"$ticket{number}",
        }


def _letters() -> Rows:
    """One for each ticket."""
    for number in range(1, TICKETS + 1):
        at = when(number)
        state = LetterState.TICKET if number % 2 else LetterState.FOLLOW_UP
        if is_open(number):
            state = LetterState.QUARANTINED
        elif number > TICKETS - 20:
            state = LetterState.NEW
        is_new = state is LetterState.NEW
        yield {
            "id": number,
            "ref": f"letter {number}",
            "wrapped_key": _KEY,
            "received_at": at,
            "queue": QUEUES[number % len(QUEUES)],
            "source": "lmtp",
            "digest": tag("d", number),
            "state": state,
            "reason": "it is odd" if state is LetterState.QUARANTINED else None,
            "tries": 0,
            "due_at": at,
            "sender_tag": tag("s", number // 2),
            "same_tag": None if is_new else tag("m", number),
            "begun_at": None if is_new else at,
            "leased_until": None,
            "ticket_id": number,
            "raw_sealed": b"mail",
        }


def _messages() -> Rows:
    """One of the user, an answer and a note for each ticket."""
    kinds = (MessageKind.IN, MessageKind.OUT, MessageKind.NOTE)
    for ticket in range(1, TICKETS + 1):
        for place, kind in enumerate(kinds):
            number = len(kinds) * ticket + place
            is_answer = place == _ANSWER
            state = ReplyState.SENT if is_answer else None
            is_held = is_answer and is_open(ticket)
            yield {
                "id": number,
                "ref": f"message {number}",
                "ticket_id": ticket,
                "letter_id": ticket if place == 0 else None,
                "kind": kind,
                "at": when(ticket),
                "author": AGENT if place else None,
                "message_id_tag": tag("i", number),
                "state": ReplyState.HELD if is_held else state,
                "hold_until": when(ticket) + dt.timedelta(seconds=90) if is_answer else None,
                "encryption": None,
                "asked_by": f"$reply{ticket}" if is_answer else None,
                "text_sealed": b"words",
            }


def _outbox() -> Rows:
    """Its announcement, what was said in its thread and the answer of each ticket."""
    kinds = (ANNOUNCEMENT, "say", "preview", "mail")
    for ticket in range(1, TICKETS + 1):
        room = 2 + ticket % len(QUEUES)
        for place, kind in enumerate(kinds):
            number = len(kinds) * ticket + place
            is_pending = ticket > TICKETS - 20 and place > 1
            yield {
                "id": number,
                "ref": f"row {number}",
                "wrapped_key": _KEY,
                "kind": kind,
                "lane": "mail" if kind == "mail" else f"room:{room}",
                "ticket_id": ticket,
                "message_id": 3 * ticket + _ANSWER if kind in {"preview", "mail"} else None,
                "room": None if kind == "mail" else room,
                "state": OutboxState.PENDING if is_pending else OutboxState.SENT,
                "tries": 1,
                "created_at": when(ticket),
                "due_at": when(ticket),
                "done_at": None if is_pending else when(ticket),
                "event_id": None if is_pending or kind == "mail" else f"$row{number}",
            }


def _events() -> Rows:
    """A command for each ticket."""
    for number in range(1, TICKETS + 1):
        state = EventState.NEW if number > TICKETS - 10 else EventState.DONE
        yield {
            "id": number,
            "ref": f"event {number}",
            "event_id": f"$event{number}",
            "room_id": f"!{2 + number % len(QUEUES)}:x",
            "state": EventState.UNDECRYPTABLE if number % 2000 == 0 else state,
            "heard_at": when(number),
            "place_tag": tag("p", number),
            "sender_tag": tag("a", number % 20),
            "edits": f"$event{number - 1}" if number % 10 == 0 else None,
        }


def _tags() -> Rows:
    for ticket in range(1, TICKETS + 1):
        yield {"ticket_id": ticket, "name": f"tag{ticket % 30}"}


def _links() -> Rows:
    for ticket in range(1, TICKETS + 1, 3):
        yield {
            "ticket_id": ticket,
            "problem_id": 1 + ticket % ISSUES,
            "linked_by": AGENT,
            "linked_at": when(ticket),
        }


def _sightings() -> Rows:
    for ticket in range(1, TICKETS + 1, 3):
        yield {
            "id": ticket,
            "problem_id": 1 + ticket % ISSUES,
            "ticket_id": ticket,
            "day": when(ticket).date(),
            "language": "en",
            "version": "7.1",
            "reporter_tag": tag("c", ticket // 2),
        }


def _references() -> Rows:
    for ticket in range(1, TICKETS + 1):
        yield {"ticket_id": ticket, "tag": tag("f", ticket)}


def _ciphertexts() -> Rows:
    for letter in range(1, TICKETS + 1):
        yield {
            "tag": tag("x", letter),
            "letter_id": letter,
            "contact_tag": None,
            "seen_at": when(letter),
        }


def _keys() -> Rows:
    for number in range(1, TICKETS // 2 + 1):
        yield {
            "id": number,
            "ref": f"key {number}",
            "wrapped_key": _KEY,
            "contact_tag": tag("c", number),
            "fingerprint_tag": tag("k", number),
            "source": "autocrypt",
            "ticket_id": 2 * number,
            "state": KeyState.SEEN,
            "prefers_encryption": True,
            "letters": 1,
            "seen_at": when(number),
            "last_seen_at": when(number),
        }


def _files() -> Rows:
    """One in ten answers took a file along."""
    for ticket in range(1, TICKETS + 1, 10):
        yield {
            "id": ticket,
            "ref": f"file {ticket}",
            "ticket_id": ticket,
            "message_id": 3 * ticket + _ANSWER,
            "event_id": f"$file{ticket}",
            "size": 1000,
            "asked_at": when(ticket),
        }
