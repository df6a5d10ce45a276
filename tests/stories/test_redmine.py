# SPDX-License-Identifier: AGPL-3.0-or-later
"""A ticket is linked to issues of a real Redmine, also while that is down."""

from pathlib import Path

from tests.services.redmine import Redmine
from tests.services.synapse import Homeserver
from tests.worlds.matrix import MatrixDesk, Plan, running_desk

MAIL = b"From: user@example.org\r\nSubject: Wi-Fi\r\nMessage-ID: <w@example.org>\r\n\r\nIt does not work.\r\n"
TROUBLE = "The link to #2 is kept, but the issue could not be read."


async def is_linked(desk: MatrixDesk, issue: int) -> bool:
    """Whether ticket 1 is linked to the issue."""
    async with desk.running.desk.units() as unit:
        problem = await unit.problems.by_issue(issue)
        return problem is not None and list(await unit.problems.tickets(problem)) == [1]


async def test_an_issue_is_shown_and_a_redmine_that_is_down_is_told_once(
    tmp_path: Path, synapse: Homeserver, redmine: Redmine
) -> None:
    lines = f"redmine:\n  url: {redmine.url}\n  api_key_file: redmine.key\n"
    plan = Plan(tmp_path, synapse, more=lines, secrets={"redmine.key": redmine.desk_key})
    async with running_desk(plan) as desk:
        await desk.deliver(MAIL)
        announcement = await desk.announced(1)
        room, thread = announcement.room_id, announcement.event_id
        await desk.ana.say(room, "!link #1", thread=thread)
        shown = await desk.hears("Wi-Fi does not work on Broadcom", thread=thread)
        assert "Status: New" in shown.body
        assert f"{redmine.url}/issues/1" in shown.body
        redmine.stop()
        try:
            await desk.ana.say(room, "!link #2", thread=thread)
            told = await desk.hears(TROUBLE, thread=thread)
            assert "Redmine does not answer." in told.body
            assert await is_linked(desk, 2)
        finally:
            redmine.start()
        # The pauses between attempts have grown for as long as Redmine took to start.
        later = await desk.hears("Tor Browser crashes at start", thread=thread, seconds=200)
        assert "Status: New" in later.body
        assert sum(TROUBLE in seen.body for seen in desk.ana.seen) == 1
