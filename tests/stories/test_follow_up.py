# SPDX-License-Identifier: AGPL-3.0-or-later
"""Languages choose the room, answers of users find their thread, and nobody answers past unread words."""

import email
from email.message import EmailMessage
from pathlib import Path

from tests.services.synapse import Homeserver
from tests.worlds.matrix import SAMPLES, SUPPORT, Plan, running_desk


def from_user(text: str, **headers: str) -> bytes:
    """A plain mail of the user of these stories."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "user@example.org", SUPPORT, "Wi-Fi"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message.as_bytes()


async def test_a_french_report_is_announced_in_the_french_room(tmp_path: Path, synapse: Homeserver) -> None:
    async with running_desk(Plan(tmp_path, synapse)) as desk:
        await desk.deliver((SAMPLES / "02-new-fr-persistence.eml").read_bytes())
        french = await desk.announced(1)
        await desk.deliver(
            from_user(
                "Hello, my wireless card does not work at all on this laptop.", Message_ID="<1@example.org>"
            )
        )
        english = await desk.announced(2)
        assert "fr" in french.body
        assert french.room_id != english.room_id
        await desk.ana.say(french.room_id, "!lang en", thread=french.event_id)
        await desk.hears("goes on in the room of “en”", thread=french.event_id)
        moved = await desk.ana.wait_for(
            lambda seen: "#1 " in seen.body and seen.room_id == english.room_id and seen.thread is None
        )
        assert moved.event_id != french.event_id
        await desk.edited(french, "goes on in the room of “en”")
        await desk.ana.say(french.room_id, "!show", thread=french.event_id)
        await desk.hears("This thread has ended: ticket 1 goes on", thread=french.event_id)
        await desk.ana.say(english.room_id, "!show", thread=moved.event_id)
        await desk.hears("stockage persistant", thread=moved.event_id)


async def test_what_the_user_wrote_meanwhile_is_read_first(tmp_path: Path, synapse: Homeserver) -> None:
    async with running_desk(Plan(tmp_path, synapse, hold=600)) as desk:
        await desk.deliver(from_user("It does not work.", Message_ID="<1@example.org>"))
        announcement = await desk.announced(1)
        room, thread = announcement.room_id, announcement.event_id
        await desk.ana.say(room, "!reply Which card is it?", thread=thread)
        preview = await desk.hears("This is going to leave", thread=thread)
        await desk.ana.say(room, "!send", thread=thread)
        answer = email.message_from_bytes((await desk.catcher.wait_for(1)).content)
        await desk.edited(preview, "Left at")
        await desk.ana.say(room, "!reply And which laptop?", thread=thread)
        await desk.hears("And which laptop?", thread=thread)
        follow_up = from_user(
            "It is a Broadcom.", Message_ID="<2@example.org>", In_Reply_To=str(answer["Message-ID"])
        )
        await desk.deliver(follow_up, recipient=str(answer["Reply-To"]))
        again = await desk.hears("The user wrote again", thread=thread)
        assert again.mentions == (desk.ana.user_id,)
        assert again.body.startswith(f"{desk.ana.user_id}: ")
        await desk.ana.say(room, "!send", thread=thread)
        await desk.hears("Read it first", thread=thread)
        assert len(desk.catcher.caught) == 1
        await desk.ana.say(room, "!show", thread=thread)
        await desk.hears("It is a Broadcom.", thread=thread)
        await desk.ana.say(room, "!send", thread=thread)
        await desk.catcher.wait_for(2)
