# SPDX-License-Identifier: AGPL-3.0-or-later
"""What of an event is somebody's own words, and whom they link to."""

from typing import Any

import pytest

from bot.heard import Heard, read_event


def _read(content: dict[str, Any]) -> Heard:
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
