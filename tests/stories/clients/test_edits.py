# SPDX-License-Identifier: AGPL-3.0-or-later
"""What an agent edits or takes away after it was said: the last words count."""

from pathlib import Path

from tests.services.synapse import Homeserver
from tests.stories.test_restart import end_all_holds
from tests.worlds.matrix import Plan, running_desk

LETTER = b"""From: Kim <kim@user.example>\r
To: support@desk.example\r
Subject: My wifi\r
Message-ID: <m1@user.example>\r
\r
Hello, my wifi is gone since the last update.\r
"""


async def test_an_edited_answer_leaves_with_its_last_words(tmp_path: Path, synapse: Homeserver) -> None:
    async with running_desk(Plan(tmp_path, synapse, hold=600)) as desk:
        await desk.deliver(LETTER)
        announcement = await desk.announced(1)
        room, thread = announcement.room_id, announcement.event_id
        eyes = await desk.ana.react(room, thread, "👀")
        await desk.edited(announcement, "claimed by")
        asked = await desk.ana.say(room, "!reply Old words.", thread=thread)
        old = await desk.hears("Old words.", thread=thread)
        await desk.ana.wait_for_reaction(old.event_id, "❌")
        await desk.ana.edit(room, asked, "!reply New words.")
        await desk.edited(old, "has changed the words")
        new = await desk.hears("New words.", thread=thread)
        await desk.ana.say(room, "! send", reply_to=new.event_id)
        mail = await desk.catcher.wait_for(1)
        assert (b"New words" in mail.content, b"Old words" in mail.content) == (True, False)
        await desk.edited(new, "Left at")
        await desk.ana.edit(room, asked, "!reply Newer words.")
        await desk.hears("has left with the old words", thread=thread)
        await desk.ana.redact(room, eyes)
        await desk.hears("is free again", thread=thread)


async def test_words_that_change_while_the_desk_is_away_count_though_the_hold_is_over(
    tmp_path: Path, synapse: Homeserver
) -> None:
    async with running_desk(Plan(tmp_path, synapse, hold=600)) as desk:
        await desk.deliver(LETTER)
        announcement = await desk.announced(1)
        room, thread = announcement.room_id, announcement.event_id
        asked = await desk.ana.say(room, "!reply Old words.", thread=thread)
        old = await desk.hears("Old words.", thread=thread)
        await desk.ana.wait_for_reaction(old.event_id, "❌")
        await desk.stop()
        await end_all_holds(desk)
        await desk.ana.edit(room, asked, "!reply New words.")
        await desk.start()
        await desk.edited(old, "has changed the words")
        new = await desk.hears("New words.", thread=thread)
        await desk.ana.wait_for_reaction(new.event_id, "❌")
        await desk.stop()
        await end_all_holds(desk)
        await desk.ana.redact(room, asked)
        await desk.start()
        await desk.hears("Cancelled, as its command was removed", thread=thread)
        assert not desk.catcher.caught
