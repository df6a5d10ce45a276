# SPDX-License-Identifier: AGPL-3.0-or-later
"""A homeserver delivers an old command under a new event id: nobody acts on it a second time."""

from pathlib import Path

from bot.http.wire import path, request
from tests.services.synapse import Homeserver
from tests.worlds.matrix import SAMPLES, MatrixDesk, Plan, running_desk

ANSWER = "!reply Words that were taken back."


async def deliver_again(desk: MatrixDesk, room: str, event_id: str, ref: str) -> str:
    """Send the very ciphertext again on behalf of its sender, as a homeserver can; return the new id."""
    client = desk.ana._client
    old = await request(client, "GET", path("rooms", room, "event", event_id))
    where = path("rooms", room, "send", "m.room.encrypted", ref)
    return str((await request(client, "PUT", where, old["content"]))["event_id"])


async def test_a_cancelled_answer_that_is_delivered_again_is_no_new_answer(
    tmp_path: Path, synapse: Homeserver
) -> None:
    async with running_desk(Plan(tmp_path, synapse, hold=600)) as desk:
        await desk.deliver((SAMPLES / "01-new-en-wifi-large.eml").read_bytes())
        announcement = await desk.announced(1)
        room, thread = announcement.room_id, announcement.event_id
        typed = await desk.ana.say(room, ANSWER, thread=thread)
        await desk.hears("Words that were taken back", thread=thread)
        await desk.obeys("!cancel", room, thread)
        await deliver_again(desk, room, typed, "same process")
        told = await desk.hears("a second time")
        await desk.stop()
        await deliver_again(desk, room, typed, "between processes")
        await desk.start()
        await deliver_again(desk, room, typed, "next process")
        await desk.obeys("!note That is all.", room, thread)
        await desk.ana.wait_for(
            lambda seen: "a second time" in seen.body and seen.event_id != told.event_id, seconds=30
        )
        bot = desk.running.session.user_id
        said = [seen.body for seen in desk.ana.seen if seen.sender == bot and seen.replaces is None]
        assert sum("Words that were taken back" in body for body in said) == 1
        assert sum("a second time" in body for body in said) == 2, "once in each process"
