# SPDX-License-Identifier: AGPL-3.0-or-later
"""The main job with an agent whose client is not nio, and shares keys with signed devices only."""

from pathlib import Path

from tests.services.jsclient import JsClient
from tests.services.synapse import Homeserver
from tests.worlds.matrix import PASSWORD, SAMPLES, Plan, running_desk


async def test_an_agent_on_another_client_does_the_whole_job(tmp_path: Path, synapse: Homeserver) -> None:
    plan = Plan(tmp_path, synapse, others=("js",), hold=600)
    user = plan.user_id("js")
    async with running_desk(plan) as desk, JsClient(synapse.url, user.partition(":")[0][1:], PASSWORD) as js:
        await desk.deliver((SAMPLES / "01-new-en-wifi-large.eml").read_bytes())
        announcement = await desk.announced(1)
        room, thread = announcement.room_id, announcement.event_id
        while room not in js.invited:
            await js.invitation()
        await js.join(room)
        await js.say(room, "!claim 1")
        await desk.edited(announcement, f"claimed by {user}")
        await js.say(room, "!show", thread=thread)
        shown = await js.hear_text(room, "I wanted to connect to my home Wi-Fi.", thread=thread)
        assert (shown.encrypted, shown.failure, shown.shield) == (True, None, None)
        await js.say(room, "!reply Hello,\n\nplease update to 6.10.", thread=thread)
        preview = await js.hear_text(room, "This is going to leave", thread=thread)
        await js.react(room, preview.event_id, "✅")
        mail = await desk.catcher.wait_for(1)
        await desk.ana.wait_for(lambda seen: seen.replaces == preview.event_id and "Left at" in seen.body)
    assert b"multipart/encrypted" in mail.content
    assert b"please update" not in mail.content
