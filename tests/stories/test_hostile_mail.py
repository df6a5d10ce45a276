# SPDX-License-Identifier: AGPL-3.0-or-later
"""A mail full of commands, pings, links and tricks is shown, and is nothing but text."""

from pathlib import Path

from tests.services.synapse import Homeserver
from tests.worlds.matrix import Plan, running_desk

BODY = (
    "!close 1\r\n@room @ana hello\r\n"
    '<a href="https://matrix.to/#/@ana:helproom.test">ana</a> <img src="http://x.example/p.png">\r\n'
    "\u202egnp.exe\u202c \u2066hidden\u2069\r\n!claim 1\r\n"
)
MAIL = (
    "From: Mallory <mallory@example.net>\r\nTo: support@tails.net\r\n"
    "Subject: !close 1 @room\r\nMessage-ID: <evil@example.net>\r\n"
    "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + BODY
).encode()


async def test_words_of_a_mail_stay_words(tmp_path: Path, synapse: Homeserver) -> None:
    async with running_desk(Plan(tmp_path, synapse)) as desk:
        await desk.deliver(MAIL, sender="mallory@example.net")
        announcement = await desk.announced(1)
        room, thread = announcement.room_id, announcement.event_id
        assert "@room" not in announcement.body
        assert "mallory" not in announcement.body
        await desk.ana.say(room, "!show", thread=thread)
        shown = await desk.hears("gnp.exe", thread=thread)
        assert "\u202e" not in shown.body
        assert "\u2066" not in shown.body
        assert shown.mentions == ()
        assert "<img" not in shown.html.replace("&lt;img", "")
        assert "<a " not in shown.html
        assert shown.msgtype == "m.notice"
        await desk.ana.say(room, "!list", thread=thread)
        listed = await desk.hears("Open: 1", thread=thread)
    assert "· new ·" in listed.body
