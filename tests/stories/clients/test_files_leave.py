# SPDX-License-Identifier: AGPL-3.0-or-later
"""Agents put files into a thread; those they attach reach the user's own GnuPG, byte for byte."""

import email
import os
from email import policy
from email.message import EmailMessage
from pathlib import Path

from tests.mail.people import Person, encrypted, entity, headers, multipart, person
from tests.services.jsclient import JsClient
from tests.services.synapse import Homeserver
from tests.worlds.matrix import PASSWORD, SAMPLES, MatrixDesk, Plan, running_desk

PICTURE, LOG, SECRET = os.urandom(200_000), b"line\r\n\x00" * 5000, b"never attached " * 100


async def letter_comes(desk: MatrixDesk, alice: Person) -> tuple[str, str]:
    """Let Alice write encrypted, her key inside; return the room and the thread of her ticket."""
    key = entity(alice.public.decode(), type_="application/pgp-keys")
    queue = (SAMPLES / "TEST-ONLY-helpdesk-public-key.asc").read_bytes()
    alice.gpg("--import", data=queue)
    fields = f"From: {alice.address}\r\nSubject: A form\r\n".encode()
    inner = multipart('multipart/mixed; hp="cipher"', entity("Which form is it?"), key)
    sealed = alice.encrypt(fields + inner, queue)
    await desk.deliver(headers(alice.address, "...") + encrypted(sealed), sender=alice.address)
    announcement = await desk.announced(1)
    return announcement.room_id, announcement.event_id


def opened(alice: Person, raw: bytes) -> EmailMessage:
    """Return what Alice's GnuPG makes of an answer."""
    outer = email.message_from_bytes(raw, policy=policy.default)
    assert outer["Subject"] == "..."
    sealed = list(outer.iter_parts())[1].get_payload(decode=True)
    assert isinstance(sealed, bytes)
    return email.message_from_bytes(alice.gpg("--decrypt", data=sealed), policy=policy.default)


def files_of(message: EmailMessage) -> list[tuple[str | None, str, object]]:
    return [
        (part.get_filename(), part.get_content_type(), part.get_payload(decode=True))
        for part in message.iter_attachments()
    ]


async def test_files_of_two_clients_leave_and_others_do_not(tmp_path: Path, synapse: Homeserver) -> None:
    plan = Plan(tmp_path, synapse, others=("js",), hold=600)
    name = plan.user_id("js").partition(":")[0][1:]
    with person("alice@user.example", tmp_path / "alice") as alice:
        async with running_desk(plan) as desk, JsClient(synapse.url, name, PASSWORD) as js:
            room, thread = await letter_comes(desk, alice)
            while room not in js.invited:
                await js.invitation()
            await js.join(room)
            await js.send_file(room, "Снимок.png", "image/png", PICTURE, thread=thread)
            await js.say(room, "!attach", thread=thread)
            await js.hear_text(room, "Attached: “Снимок.png” (image/png, 200 KB)", thread=thread)
            log = await desk.ana.share(room, "system.log", "text/plain", LOG, thread=thread)
            await desk.ana.share(room, "secret.txt", "text/plain", SECRET, thread=thread)
            await desk.ana.say(room, "!attach", thread=thread, reply_to=log)
            await desk.hears("Attached: “system.log” (text/plain, 35 KB)", thread=thread)
            await desk.ana.say(room, "!reply --quote This one.", thread=thread)
            preview = await desk.hears("This is going to leave", thread=thread)
            assert "Files: they leave encrypted with the mail" in preview.body
            assert "- “Снимок.png” (image/png, 200 KB)\n- “system.log” (text/plain, 35 KB)" in preview.body
            await desk.ana.react(room, preview.event_id, "✅")
            mail = await desk.catcher.wait_for(1)
            await desk.edited(preview, "Left at")
        message = opened(alice, mail.content)
    assert message["Subject"] == "Re: [#1] A form"
    body = message.get_body()
    assert body is not None
    assert "> Which form is it?\n\nThis one.\n" in body.get_content().replace("\r\n", "\n")
    assert files_of(message) == [("Снимок.png", "image/png", PICTURE), ("system.log", "text/plain", LOG)]
    stored = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
    assert not any(words in stored for words in (PICTURE[:64], LOG[:64], SECRET[:64]))


async def test_a_file_that_was_asked_for_while_the_desk_was_down_leaves(
    tmp_path: Path, synapse: Homeserver
) -> None:
    with person("alice@user.example", tmp_path / "alice") as alice:
        async with running_desk(Plan(tmp_path, synapse, hold=600)) as desk:
            room, thread = await letter_comes(desk, alice)
            await desk.ana.say(room, "!reply See there.", thread=thread)
            preview = await desk.hears("This is going to leave", thread=thread)
            await desk.stop()
            removed = await desk.ana.share(room, "wrong.png", "image/png", SECRET, thread=thread)
            await desk.ana.redact(room, removed)
            await desk.ana.share(room, "right.png", "image/png", PICTURE, thread=thread)
            await desk.ana.say(room, "!attach", thread=thread)
            await desk.ana.say(room, "!attach", thread=thread, reply_to=removed)
            await desk.start()
            await desk.hears("Attached: “right.png”", thread=thread)
            await desk.hears("NOT attached: that message was removed from the room.", thread=thread)
            await desk.ana.say(room, "!send", thread=thread)
            mail = await desk.catcher.wait_for(1)
            await desk.edited(preview, "Left at")
        assert files_of(opened(alice, mail.content)) == [("right.png", "image/png", PICTURE)]
