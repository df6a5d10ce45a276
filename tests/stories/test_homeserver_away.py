# SPDX-License-Identifier: AGPL-3.0-or-later
"""A homeserver that is killed and comes back: the desk and its agents hear each other again."""

import asyncio
from pathlib import Path

from helproom.demo.homeserver import Homeserver, Site
from tests.stories.test_follow_up import from_user
from tests.worlds.matrix import Plan, running_desk


async def test_desk_and_agents_go_on_when_the_homeserver_was_away(tmp_path: Path) -> None:
    with Homeserver(Site(tmp_path / "synapse", "test-only")) as server:
        async with running_desk(Plan(tmp_path, server)) as desk:
            await desk.deliver(from_user("It does not work.", Message_ID="<1@example.org>"))
            first = await desk.announced(1)
            await asyncio.to_thread(server.kill)
            await desk.deliver(from_user("Nor does this.", Message_ID="<2@example.org>"))
            # Long enough for the clients to meet closed doors.
            await asyncio.sleep(3)
            await asyncio.to_thread(server.start)
            await desk.announced(2)
            await desk.obeys("!claim", first.room_id, first.event_id)
