# SPDX-License-Identifier: AGPL-3.0-or-later
"""A homeserver with its usual limits, ten events and then one each five seconds: people come first."""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

import pytest

from bot.http.wire import path, request
from desk.outbox.posts import DONE_KEY
from helproom.demo.homeserver import Homeserver
from tests.services.synapse import lay_site
from tests.stories.test_follow_up import from_user
from tests.worlds.matrix import MatrixDesk, Plan, running_desk

T = TypeVar("T")
LETTERS = 5
ANSWERED_SECONDS = 30.0
MOST_EVENTS = 9


async def in_time(answer: Awaitable[T]) -> T:
    """Wait for an answer, which must not take long."""
    async with asyncio.timeout(ANSWERED_SECONDS):
        return await answer


async def do_a_round(desk: MatrixDesk, number: int) -> None:
    """Claim, show, reply, send."""
    announcement = await desk.announced(number)
    room, thread, ana = announcement.room_id, announcement.event_id, desk.ana
    claim = await ana.say(room, "!claim", thread=thread)
    await in_time(ana.wait_for_reaction(claim, DONE_KEY))
    await ana.say(room, "!show", thread=thread)
    await in_time(desk.hears(f"Question {number}.", thread=thread))
    await ana.say(room, f"!reply Answer {number}.", thread=thread)
    preview = await in_time(desk.hears(f"Answer {number}.", thread=thread))
    await ana.say(room, "!send", thread=thread)
    await in_time(desk.edited(preview, "Left at"))


async def events_of_the_bot(desk: MatrixDesk, room: str) -> Counter[str]:
    """What the homeserver holds of the bot in a room, by kind, without the room's own state."""
    found: Counter[str] = Counter()
    query = {"dir": "b", "limit": "100"}
    while True:
        page = await request(desk.ana._client, "GET", path("rooms", room, "messages", query=query))
        said = [event for event in page["chunk"] if event["sender"] == desk.running.session.user_id]
        found.update(event["type"] for event in said if "state_key" not in event)
        if not page["chunk"] or "end" not in page:
            return found
        query["from"] = page["end"]


@pytest.mark.timeout(660)
async def test_five_letters_are_answered_under_the_usual_limits(tmp_path: Path) -> None:
    with Homeserver(lay_site(tmp_path / "synapse", usual_limits=True)) as server:
        async with running_desk(Plan(tmp_path, server, hold=300)) as desk, asyncio.timeout(600):
            for number in range(1, LETTERS + 1):
                await desk.deliver(from_user(f"Question {number}.", Message_ID=f"<{number}@example.org>"))
            for number in range(1, LETTERS + 1):
                await do_a_round(desk, number)
            for number in range(1, LETTERS + 1):
                last = await desk.edited(await desk.announced(number), "answered")
            await desk.catcher.wait_for(LETTERS)
            events = await events_of_the_bot(desk, last.room_id)
    assert events.total() <= LETTERS * MOST_EVENTS, events
