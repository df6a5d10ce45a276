# SPDX-License-Identifier: AGPL-3.0-or-later
"""What of an event is somebody's own words, and whom they link to."""

from typing import Any

import pytest

from bot.events.events import read_event
from commands.event import RoomEvent


def _read(content: dict[str, Any]) -> RoomEvent:
    source = {
        "type": "m.room.message",
        "event_id": "$said",
        "sender": "@ana:helproom.test",
        "origin_server_ts": 1,
        "content": {"msgtype": "m.text", **content},
    }
    heard = read_event(source, "!room:helproom.test", decrypted=True, verified=True)
    assert heard is not None
    return heard


PILL = '<a href="https://matrix.to/#/@ben:helproom.test">Ben the Brave</a>'


@pytest.mark.parametrize(
    ("formatted", "pills"),
    [
        (f"!assign {PILL}", ("@ben:helproom.test",)),
        ("<a href='https://matrix.to/#/%40ben%3Ahelproom.test'>Ben</a>", ("@ben:helproom.test",)),
        (f"{PILL} {PILL}", ("@ben:helproom.test",)),
        (f"<mx-reply><blockquote>{PILL}</blockquote></mx-reply>!claim", ()),
        (f"<MX-REPLY>\n{PILL}</MX-REPLY>", ()),
        ('<a href="https://matrix.to/#/#room:helproom.test">room</a>', ()),
        ('<a href="https://matrix.to/#/!r:helproom.test/$event">event</a>', ()),
        ('<a href="https://example.org/#/@ben:helproom.test">Ben</a>', ()),
        ("https://matrix.to/#/@ben:helproom.test", ()),
        ("<![x[", ()),
        ("<mx-reply" + "<a " * 20_000, ()),
        (5, ()),
        (None, ()),
    ],
)
def test_pills_are_the_people_a_message_links_to(formatted: object, pills: tuple[str, ...]) -> None:
    content = {"body": "!assign Ben", "formatted_body": formatted}
    assert _read(content).pills == pills


QUOTE = "> <@ben:helproom.test> !close 1\n> more"
REPLY = {"m.in_reply_to": {"event_id": "$other"}}
THREAD = {"rel_type": "m.thread", "event_id": "$root", **REPLY}


@pytest.mark.parametrize(
    ("body", "relation", "own"),
    [
        (f"{QUOTE}\n\n!claim", REPLY, "!claim"),
        (f"{QUOTE}\n\n!note one\n> two", REPLY, "!note one\n> two"),
        (f"{QUOTE}\n\n!claim", THREAD, "!claim"),
        (f"{QUOTE}\n\n!claim", {**THREAD, "is_falling_back": True}, f"{QUOTE}\n\n!claim"),
        (f"{QUOTE}\n\n!claim", {}, f"{QUOTE}\n\n!claim"),
        (QUOTE, REPLY, ""),
        ("!claim", REPLY, "!claim"),
        (None, {}, ""),
        ({"m.text": "!claim"}, {}, ""),
    ],
)
def test_the_quote_of_a_reply_is_nobodys_command(body: object, relation: dict[str, Any], own: str) -> None:
    assert _read({"body": body, "m.relates_to": relation}).body == own


def _edit(new: object, old: str = "* !claim") -> dict[str, Any]:
    relation = {"rel_type": "m.replace", "event_id": "$first"}
    return {"body": old, "m.new_content": new, "m.relates_to": relation}


def test_an_edit_says_its_new_words_and_what_they_replace() -> None:
    heard = _read(_edit({"msgtype": "m.text", "body": f"{QUOTE}\n\n!claim", "formatted_body": PILL}))
    assert (heard.body, heard.edits, heard.thread_root) == ("!claim", "$first", None)
    assert heard.pills == ("@ben:helproom.test",)


@pytest.mark.parametrize("new", [None, "words", {"msgtype": "m.notice", "body": "!claim"}])
def test_an_edit_without_new_words_of_a_person_is_none(new: object) -> None:
    source = {
        "type": "m.room.message",
        "event_id": "$said",
        "sender": "@ana:helproom.test",
        "content": {"msgtype": "m.text", **_edit(new)},
    }
    assert read_event(source, "!room:helproom.test", decrypted=True, verified=True) is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"body": "!attach", "filename": "a.png"}, "!attach"),
        ({"body": "!attach", "filename": "!attach"}, ""),
        ({"body": "!attach"}, ""),
        ({"body": f"{QUOTE}\n\n!attach", "filename": "a.png", "m.relates_to": REPLY}, "!attach"),
    ],
)
def test_a_files_words_are_its_caption_not_its_name(content: dict[str, Any], words: str) -> None:
    heard = _read({"msgtype": "m.file", **content})
    assert (heard.body, heard.is_file) == (words, True)


@pytest.mark.parametrize("event_id", ["$" + "x" * 255, "$a\x00b", "$\ud800", "words", "", {"a": 1}, None])
def test_what_can_be_no_event_is_not_referred_to(event_id: object) -> None:
    for relation in (
        {"m.in_reply_to": {"event_id": event_id}},
        {"rel_type": "m.thread", "event_id": event_id},
    ):
        heard = _read({"body": "!claim", "m.relates_to": relation})
        assert (heard.thread_root, heard.relates_to, heard.edits) == (None, None, None)
