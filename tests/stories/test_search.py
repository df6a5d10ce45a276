# SPDX-License-Identifier: AGPL-3.0-or-later
"""An agent searches in a room, sees what was found, and turns the page by a reaction, twice."""

from pathlib import Path

from desk.search.pages import NEXT_KEY
from tests.services.synapse import Homeserver
from tests.stories.test_follow_up import from_user
from tests.worlds.matrix import Plan, running_desk

LETTERS = 9


async def test_tickets_are_found_in_the_room_and_the_page_is_turned(
    tmp_path: Path, synapse: Homeserver
) -> None:
    async with running_desk(Plan(tmp_path, synapse)) as desk:
        for number in range(1, LETTERS + 1):
            await desk.deliver(
                from_user(f"My <b>wireless</b> card {number} fails.", Message_ID=f"<{number}@example.org>")
            )
        room = (await desk.announced(LETTERS)).room_id
        await desk.ana.say(room, "!search wireles* -bluetooth")
        page = await desk.hears("9 tickets, page 1 of 2")
        assert page.encrypted
        assert "#9 " in page.body
        assert "#1 " not in page.body
        assert "&lt;b&gt;<strong>wireless</strong>&lt;/b&gt;" in page.html
        assert "https://matrix.to/#/" in page.html
        await desk.ana.react(room, page.event_id, NEXT_KEY)
        second = await desk.edited(page, "9 tickets, page 2 of 2")
        assert "#1 " in second.body
        await desk.ana.say(room, "!search vers:7")
        await desk.hears("Do you mean `version:`")
