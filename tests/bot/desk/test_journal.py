# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is journalled is read again as it was, also when an older version has written it."""

import datetime as dt
import json
from typing import Any

import pytest

from bot.desk.journal import TOO_OLD, EventJournal, read
from bot.desk.worker import Worker
from bot.events.events import Batch
from commands.event import RoomEvent
from storage.models import Event, EventState
from tests.worlds.desk import ANA, BEN, Desk

ROOM = "!en:helproom.test"
FULL: dict[str, Any] = {
    "event_id": "$said",
    "room_id": ROOM,
    "body": "!assign Ben the Brave",
    "msgtype": "m.text",
    "thread_root": "$root1",
    "relates_to": "$answered",
    "edits": "$old",
    "is_file": True,
    "mentions": (ANA, BEN),
    "pills": (BEN,),
    "mentions_room": True,
    "decrypted": True,
    "verified": True,
    "late": True,
    "place": "room key session 7",
}


async def keep(desk: Desk, event: RoomEvent, *, recovered: bool = False) -> RoomEvent:
    """Journal an event; return what is read again."""
    await EventJournal(desk.place, own_id="@bot:helproom.test").keep(
        Batch("s", heard=(event,), recovered=recovered)
    )
    async with desk.units() as unit:
        row = await unit.journal.next_new()
        assert row is not None
        return read(row)


async def test_an_event_is_read_again_as_it_was_heard(desk: Desk) -> None:
    await desk.ticket()
    said = desk.heard(**FULL)
    assert await keep(desk, said) == said


async def test_what_a_sync_without_token_found_late_is_known_to_be_old(desk: Desk) -> None:
    said = desk.heard("!help", event_id="$said", room_id=ROOM, msgtype="m.text", decrypted=True)
    desk.clock.pass_by(seconds=TOO_OLD / dt.timedelta(seconds=1) + 1)
    assert (await keep(desk, said, recovered=True)).too_old


FIRST_SHAPE: dict[str, Any] = {
    "kind": "message",
    "body": "",
    "key": "",
    "thread": None,
    "target": None,
    "verified": True,
    "pills": [],
    "edits": None,
    "is_file": False,
    "too_old": False,
}


@pytest.mark.parametrize(
    ("kept", "owner"),
    [
        ({"body": "!claim", "thread": "$root1"}, ANA),
        ({"body": "!claim", "target": "$root1"}, ANA),
        ({"body": "!assign Ben the Brave", "thread": "$root1", "pills": [BEN]}, BEN),
        ({"kind": "reaction", "target": "$root1", "key": "👀"}, ANA),
        ({"body": "!claim", "thread": "$root1", "verified": False}, None),
        ({"body": "!claim", "thread": "$root1", "too_old": True}, None),
        ({"body": "!claim", "thread": "$root1", "edits": "$never-heard"}, None),
        ({"kind": "redaction", "target": "$root1"}, None),
    ],
)
async def test_what_an_older_version_has_journalled_is_obeyed(
    desk: Desk, kept: dict[str, Any], owner: str | None
) -> None:
    await desk.ticket()
    content = {**FIRST_SHAPE, "sent_at": desk.clock.now.timestamp(), **kept}
    facts = {"thread_root": content["thread"], "target": content["target"], "edits": content["edits"]}
    row = Event(
        event_id="$said", room_id=ROOM, state=EventState.NEW, heard_at=desk.clock.now, came=None, **facts
    )
    async with desk.units() as unit:
        await unit.journal.add(row, json.dumps(content), sender=ANA)
    assert await Worker(desk.place, only_verified=True).step()
    assert (await desk.look(1)).owner == owner
    async with desk.units() as unit:
        known = await unit.journal.by_event("$said")
        assert known is not None
        assert known.state is EventState.DONE
