# SPDX-License-Identifier: AGPL-3.0-or-later
"""An encrypted mail becomes a ticket, an announcement, a claim and an encrypted answer."""

from pathlib import Path

from tests.services.synapse import Homeserver
from tests.worlds.matrix import SAMPLES, MatrixDesk, Plan, running_desk


async def do_the_main_job(desk: MatrixDesk) -> None:
    """Go from an encrypted report to an encrypted answer."""
    await desk.deliver((SAMPLES / "01-new-en-wifi-large.eml").read_bytes())
    announcement = await desk.announced(1)
    assert announcement.encrypted
    assert "alice" not in announcement.body
    room, thread = announcement.room_id, announcement.event_id
    ping = await desk.hears("you are on duty", thread=thread)
    ana = desk.ana.user_id
    assert ping.mentions == (ana,)
    assert ping.body == f"{ana}: ticket 1 is new, you are on duty."
    assert ping.html == f'<a href="https://matrix.to/#/{ana}">{ana}</a>: ticket 1 is new, you are on duty.'
    assert announcement.mentions == ()
    await desk.ana.react(room, thread, "👀")
    await desk.edited(announcement, "claimed by")
    await desk.ana.say(room, "!show", thread=thread)
    shown = await desk.hears("alice.sample@example.org", thread=thread)
    assert "I wanted to connect to my home Wi-Fi." in shown.body
    await desk.ana.say(room, "!tag wifi realtek", thread=thread)
    await desk.edited(announcement, "realtek, wifi")
    await desk.ana.say(room, "!reply Hello,\n\nit's known: update, please.", thread=thread)
    preview = await desk.hears("This is going to leave", thread=thread)
    assert "encrypted to the user's key" in preview.body
    mail = await desk.catcher.wait_for(1)
    assert b"it's known" not in mail.content
    assert mail.recipients == ("alice.sample@example.org",)
    await desk.edited(preview, "Left at")
    await desk.edited(announcement, "answered")


async def test_an_encrypted_report_gets_an_encrypted_answer(tmp_path: Path, synapse: Homeserver) -> None:
    async with running_desk(Plan(tmp_path, synapse)) as desk:
        await do_the_main_job(desk)
