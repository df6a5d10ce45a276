# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a user sent along is listed, and shown encrypted in the thread when somebody asks for it."""

import base64
import zipfile
from io import BytesIO
from pathlib import Path

from tests.mail.people import Person, encrypted, entity, headers, multipart, person
from tests.services.synapse import Homeserver
from tests.worlds.matrix import SAMPLES, MatrixDesk, Plan, running_desk

# A picture of 3 x 2 pixels.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAMAAAACCAIAAAASFvFNAAAAEElEQVR4nGP4z8AARAwQCgAf7gP9i18U1AAAAABJRU5ErkJggg=="
)
LOG = "kernel: wlan0: deauthenticated\n  indented <b>line</b>\n"
ADDRESS = "alice@user.example"


def attached(name: str, type_: str, content: bytes) -> bytes:
    fields = f'Content-Type: {type_}; name="{name}"\r\nContent-Disposition: attachment; filename="{name}"\r\n'
    return f"{fields}Content-Transfer-Encoding: base64\r\n\r\n".encode() + base64.encodebytes(content)


def make_archive() -> bytes:
    held = BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        file.writestr("inside.txt", "words")
    return held.getvalue()


ARCHIVE = make_archive()


async def letter_comes(desk: MatrixDesk, alice: Person) -> tuple[str, str]:
    """Let Alice write encrypted, with four files; return the room and the thread of her ticket."""
    queue = (SAMPLES / "TEST-ONLY-helpdesk-public-key.asc").read_bytes()
    alice.gpg("--import", data=queue)
    inner = multipart(
        "multipart/mixed",
        entity("See the files."),
        attached("shot.png", "image/png", PNG),
        attached("system.log", "text/plain", LOG.encode()),
        attached("all.zip", "application/zip", ARCHIVE),
        attached("form.pdf", "application/pdf", b"%PDF-1.4 form"),
    )
    await desk.deliver(headers(ADDRESS, "...") + encrypted(alice.encrypt(inner, queue)), sender=ADDRESS)
    announcement = await desk.announced(1)
    return announcement.room_id, announcement.event_id


async def test_files_are_listed_and_shown_encrypted(tmp_path: Path, synapse: Homeserver) -> None:
    with person(ADDRESS, tmp_path / "alice") as alice:
        async with running_desk(Plan(tmp_path, synapse)) as desk:
            room, thread = await letter_comes(desk, alice)
            await desk.ana.say(room, "!files", thread=thread)
            listed = await desk.hears("1  shot.png (image/png, ", thread=thread)
            assert "2  system.log (text/plain, " in listed.body
            assert "3  all.zip (application/zip, " in listed.body
            assert "an archive, only with --dangerous" in listed.body

            await desk.ana.say(room, "!file 1 2", thread=thread)
            picture = await desk.ana.wait_for(lambda seen: seen.msgtype == "m.image")
            assert (picture.encrypted, picture.thread) == (True, thread)
            assert picture.content["info"] == {"mimetype": "image/png", "size": len(PNG), "w": 3, "h": 2}
            assert await desk.ana.open_file(picture) == PNG
            log = await desk.hears("deauthenticated", thread=thread)
            assert "<pre><code>kernel: wlan0: deauthenticated\n  indented &lt;b&gt;line" in log.html

            await desk.ana.say(room, "!file 3", thread=thread)
            assert "`!file 3 --dangerous`" in (await desk.hears("File 3 is dangerous", thread=thread)).body
            await desk.ana.say(room, "!file 3 --dangerous", thread=thread)
            zipped = await desk.ana.wait_for(lambda seen: seen.body == "all.zip")
            assert zipped.content["info"]["mimetype"] == "application/octet-stream"
            assert await desk.ana.open_file(zipped) == ARCHIVE

            await desk.ana.say(room, "!file 5", thread=thread)
            await desk.hears("There is no file 5: `!files` lists them, from 1 to 4.", thread=thread)
            async with desk.running.desk.units() as unit:
                kept = await unit.outbox.by_event(picture.event_id)
                assert kept is not None
                assert kept.ticket_id == 1
    stored = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
    assert not any(words in stored for words in (PNG[16:60], b"deauthenticated", b"shot.png"))
