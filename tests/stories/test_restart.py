# SPDX-License-Identifier: AGPL-3.0-or-later
"""The desk stops and starts between the steps of its work: nothing is lost, and nothing is doubled."""

import contextlib
import datetime as dt
from collections import Counter
from pathlib import Path

from bot.desk.journal import SYNC_TOKEN
from desk.outbox.posts import DONE_KEY
from helproom.config.for_desk import open_units
from storage.models import Fact, MessageKind
from tests.services.synapse import Homeserver
from tests.worlds.matrix import SAMPLES, MatrixDesk, Plan, running_desk


async def begin(desk: MatrixDesk) -> tuple[str, str]:
    """Deliver a report; return the room and the ticket's thread."""
    await desk.deliver((SAMPLES / "01-new-en-wifi-large.eml").read_bytes())
    announcement = await desk.announced(1)
    await desk.hears("you are on duty", thread=announcement.event_id)
    return announcement.room_id, announcement.event_id


async def end_all_holds(desk: MatrixDesk) -> None:
    """Let time pass for a desk that does not run: the hold of every held answer ends."""
    now = dt.datetime.now(dt.UTC)
    async with contextlib.aclosing(_Database(desk)) as database, database.units() as unit:
        held = await unit.messages.due_replies(now + dt.timedelta(days=1))
        assert len(held) == 1
        message = await unit.messages.get(held[0])
        assert message is not None
        message.hold_until = now


class _Database:
    """The database of a desk that does not run."""

    def __init__(self, desk: MatrixDesk) -> None:
        self.units = open_units(desk.settings)

    async def aclose(self) -> None:
        await self.units.close()


async def said_by_the_desk(desk: MatrixDesk, room: str, thread: str) -> Counter[str]:
    """All that the desk has said so far in the thread and around it, counted: edits are not."""
    await desk.ana.say(room, "!list all", thread=thread)
    await desk.hears("Open: 1", thread=thread)
    bot = desk.running.session.user_id
    return Counter(seen.body for seen in desk.ana.seen if seen.sender == bot and seen.replaces is None)


async def test_nothing_is_said_or_done_twice_across_restarts(tmp_path: Path, synapse: Homeserver) -> None:
    async with running_desk(Plan(tmp_path, synapse, hold=600)) as desk:
        room, thread = await begin(desk)
        await desk.stop()
        noted = await desk.ana.say(room, "!note Said while nobody listened.", thread=thread)
        await desk.ana.react(room, thread, "👀")
        await desk.start()
        await desk.ana.wait_for_reaction(noted, DONE_KEY)
        await desk.stop()
        await desk.start()
        await desk.obeys("!release", room, thread)
        said = await said_by_the_desk(desk, room, thread)
        assert [text for text, times in said.items() if times > 1] == []
        async with desk.running.desk.units() as unit:
            ticket = await unit.tickets.get(1)
            assert ticket is not None
            kept = [message.text for message in await unit.messages.of(ticket)]
            assert kept.count("Said while nobody listened.") == 1
            assert await unit.tickets.get(2) is None


async def test_after_a_lost_sync_token_each_command_is_answered_once(
    tmp_path: Path, synapse: Homeserver
) -> None:
    async with running_desk(Plan(tmp_path, synapse)) as desk:
        room, thread = await begin(desk)
        await desk.stop()
        typed = [await desk.ana.say(room, f"!note word {number}", thread=thread) for number in range(50)]
        async with contextlib.aclosing(_Database(desk)) as database, database.units() as unit:
            await unit._session.delete(await unit._session.get(Fact, SYNC_TOKEN))
        for _ in range(2):
            await desk.start()
            said = await said_by_the_desk(desk, room, thread)
            await desk.stop()
        bot = desk.running.session.user_id
        assert sorted(each.target for each in desk.ana.pressed if each.sender == bot) == sorted(typed)
        assert not any("away for long" in text for text in said)
        async with contextlib.aclosing(_Database(desk)) as database, database.units() as unit:
            ticket = await unit.tickets.get(1)
            assert ticket is not None
            notes = [each.text for each in await unit.messages.of(ticket) if each.kind is MessageKind.NOTE]
        assert notes == [f"word {number}" for number in range(50)]


async def test_a_held_answer_survives_a_restart_and_leaves_once(tmp_path: Path, synapse: Homeserver) -> None:
    async with running_desk(Plan(tmp_path, synapse, hold=600)) as desk:
        room, thread = await begin(desk)
        await desk.ana.say(room, "!reply Hello,\n\nplease update.", thread=thread)
        preview = await desk.hears("This is going to leave", thread=thread)
        await desk.stop()
        assert desk.catcher.caught == []
        await end_all_holds(desk)
        await desk.start()
        await desk.catcher.wait_for(1)
        await desk.edited(preview, "Left at ")
        await desk.stop()
        await desk.start()
        said = await said_by_the_desk(desk, room, thread)
        assert [text for text, times in said.items() if times > 1] == []
        assert len(desk.catcher.caught) == 1


async def test_a_preview_keeps_its_buttons_across_a_restart(tmp_path: Path, synapse: Homeserver) -> None:
    async with running_desk(Plan(tmp_path, synapse, hold=600)) as desk:
        room, thread = await begin(desk)
        await desk.ana.say(room, "!reply Hello.", thread=thread)
        preview = await desk.hears("This is going to leave", thread=thread)
        await desk.stop()
        await desk.ana.react(room, preview.event_id, "✅")
        await desk.start()
        await desk.catcher.wait_for(1)
        shown = await desk.edited(preview, "Left at ")
        assert len(desk.catcher.caught) == 1
        assert "Protection: " in shown.body
        assert "> Hello." in shown.body
