# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whatever strangers write is shown as characters: no tag, no ping, no trick of direction or invisibility."""

import datetime as dt
import re
import unicodedata
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.events.events import is_heeded, moment, read_event
from bot.sending import contents, rendering
from commands.event import EventKind
from desk.tickets.announcement import Announcement
from storage.models import TicketState

NOW = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)
NEW = Announcement(
    number=12,
    language="de",
    state=TicketState.NEW,
    opened_at=NOW - dt.timedelta(hours=3),
    encryption="encrypted",
    topic="Wi-Fi <b>broken</b>\n@room",
    tails_version="6.4",
)
NASTY = st.text(alphabet=st.characters(categories=["L", "N", "P", "S", "Z", "C"])) | st.sampled_from(
    [
        "<script>x</script>",
        "</pre></blockquote><a href='x'>",
        "\u202eevil\u2066",
        "a\u0000b\x1b[31m",
        "\ud800",
    ]
)


class Tags(HTMLParser):
    """Collects tags and the text between them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)
        self.words += "\n" if tag == "br" else ""
        assert not attrs

    def handle_data(self, data: str) -> None:
        self.words += data


@given(NASTY, NASTY)
def test_no_mail_makes_a_tag_a_mention_or_an_invisible_character(text: str, quote: str) -> None:
    said = rendering.quoting(text, quote)
    tags = Tags()
    tags.feed(said.formatted_body)
    tags.close()
    assert set(tags.found) <= {"blockquote", "br", "code"}
    content = contents.notice(said)
    assert (content["m.mentions"], content["msgtype"]) == ({}, "m.notice")
    for shown in (said.body, said.formatted_body):
        shown.encode()
        hidden = {char for char in shown if unicodedata.category(char) in ("Cc", "Cf", "Cs")}
        assert hidden <= {"\n", "\t", "\u200c", "\u200d"}


@given(NASTY)
def test_a_quote_shows_the_very_characters_of_the_letter(text: str) -> None:
    said = rendering.quoting("", text)
    tags = Tags()
    tags.feed(said.formatted_body)
    tags.close()
    shown, written = (each.replace("\u00a0", " ") for each in (tags.words, rendering.clean(text).strip("\n")))
    assert shown == written


def test_a_line_that_is_set_in_stays_so_and_passes_for_no_heading_of_ours() -> None:
    shown = rendering.quoting("", "=== The user ===\n  === Note by @ana:x ===\nand  so").formatted_body
    lines = shown.removeprefix("<blockquote>").removesuffix("</blockquote>").split("<br>")
    # Browsers drop plain blanks at the beginning of a line.
    assert [line.lstrip(" ") for line in lines][1].startswith("\u00a0\u00a0=== Note by ")
    assert lines[2] == "and  so"


@given(NASTY)
def test_every_line_of_a_quote_is_marked_so_that_none_is_a_command(text: str) -> None:
    assert all(line.startswith("> ") for line in rendering.quoting("", text).body.split("\n"))


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
        ("x\u202ey\u2066z\u200b\ufeff", "xyz"),
        ("na\u0308ive می\u200cخواهم", "na\u0308ive می\u200cخواهم"),
        ("tab\tstays\x07", "tab\tstays"),
    ],
)
def test_cleaning_keeps_words_and_drops_tricks(written: str, shown: str) -> None:
    assert rendering.clean(written) == shown


def test_an_announcement_says_the_facts_in_text_and_html() -> None:
    said = rendering.announcement(NEW, NOW)
    assert said.body == (
        "🔵 #12 Wi-Fi <b>broken</b> @room\n"
        "new\n"
        "de · Tails 6.4 · encrypted · opened 2026-03-01 09:00 UTC; "
        "3 h old at the last change, 2026-03-01 12:00 UTC"
    )
    assert said.formatted_body == (
        "🔵 <strong>#12 Wi-Fi &lt;b&gt;broken&lt;/b&gt; @room</strong><br>new<br>"
        "<em>de · Tails 6.4 · encrypted · opened 2026-03-01 09:00 UTC; "
        "3 h old at the last change, 2026-03-01 12:00 UTC</em>"
    )


@pytest.mark.parametrize(
    ("state", "agent", "sent", "line"),
    [
        (TicketState.NEW, "", False, "🔵 #1\nnew\n"),
        (TicketState.CLAIMED, "@ana:x", False, "🟡 #1\nclaimed by @ana:x\n"),
        (TicketState.ANSWERED, "@ana:x", True, "🟢 #1\nanswered, with @ana:x · ✓ answer sent\n"),
        (TicketState.WAITING, "", False, "🟠 #1\nwaits for an answer\n"),
        (TicketState.CLOSED, "@ana:x", True, "⚫ #1\nclosed, with @ana:x · ✓ answer sent\n"),
    ],
)
def test_an_announcement_shows_how_the_ticket_stands(
    state: TicketState, agent: str, line: str, *, sent: bool
) -> None:
    facts = Announcement(1, "", state, NOW, "not encrypted", agent=agent, sent=sent)
    body = rendering.announcement(facts, NOW).body
    assert body.startswith(line)
    assert body.endswith("language unknown · not encrypted · opened 2026-03-01 12:00 UTC")


@pytest.mark.parametrize(
    ("owner", "line"),
    [
        ("@ana:x", "⚫ #1\nclosed by @ben:x, with @ana:x\n"),
        ("@ben:x", "⚫ #1\nclosed by @ben:x\n"),
        ("", "⚫ #1\nclosed by @ben:x\n"),
    ],
)
def test_an_announcement_shows_who_closed_the_ticket(owner: str, line: str) -> None:
    facts = Announcement(1, "", TicketState.CLOSED, NOW, "not encrypted", agent=owner, closed_by="@ben:x")
    assert rendering.announcement(facts, NOW).body.startswith(line)


@given(st.text(min_size=1), st.integers(1, 5), st.integers(1, 50))
def test_a_shortened_text_is_a_head_and_says_how_much_is_missing(text: str, lines: int, chars: int) -> None:
    whole = rendering.clean(text).strip("\n")
    short = rendering.shorten(text, lines=lines, chars=chars)
    if short.is_whole:
        assert short.text == whole
        return
    head, note = short.text.rsplit("\n… ", 1)
    assert whole.startswith(head)
    assert len(head) <= chars
    found = re.fullmatch(r"(\d+) characters? more; full text in the file\.", note)
    assert found is not None
    assert int(found[1]) == len(whole) - len(head) > 0


def test_a_spoiler_hides_in_html_and_is_absent_from_the_body() -> None:
    said = rendering.spoiler("Address", "user@example.org")
    assert "example" not in said.body
    assert '<span data-mx-spoiler="">user@example.org</span>' in said.formatted_body


def test_a_ping_names_its_people_and_only_those() -> None:
    content = contents.text(rendering.plain("@room your turn"), mentions=["@ana:x"])
    assert (content["msgtype"], content["m.mentions"]) == ("m.text", {"user_ids": ["@ana:x"]})


EDIT: contents.Json = {"m.relates_to": {"rel_type": "m.replace"}}


def event(kind: str = "m.room.message", sender: str = "@ana:x", **content: Any) -> contents.Json:
    return {
        "event_id": "$1",
        "type": kind,
        "sender": sender,
        "origin_server_ts": 1_000,
        "content": content,
    }


@pytest.mark.parametrize(
    ("source", "heeded"),
    [
        (event(msgtype="m.text", body="!claim"), True),
        (event(msgtype="m.emote", body="!claim"), True),
        (event(msgtype="m.notice", body="!claim"), False),
        (event(sender="@bot:x", msgtype="m.text", body="!claim"), False),
        (event(msgtype="m.text", body="*", **EDIT), True),
        (event(), False),
        (event(kind="m.reaction"), True),
        (event(kind="m.room.topic"), False),
    ],
)
def test_only_what_others_say_themselves_is_heeded(source: contents.Json, *, heeded: bool) -> None:
    assert is_heeded(source, "@bot:x") is heeded


@pytest.mark.parametrize(
    "content",
    [
        {"body": 3},
        {"body": None, "m.relates_to": 5},
        {"body": "x", "m.relates_to": {"m.in_reply_to": []}},
        {"body": "x", "m.relates_to": {"rel_type": "m.thread", "event_id": 4}},
        {"body": "x", "m.mentions": {"user_ids": "@ana:x"}},
        {"body": "x", "m.mentions": [1]},
    ],
)
def test_odd_content_makes_a_poor_event_but_no_error(content: contents.Json) -> None:
    heard = read_event(event(msgtype="m.text", **content), "!r", decrypted=True, verified=True)
    assert heard is not None
    assert (heard.kind, heard.thread_root, heard.relates_to, heard.mentions) == (
        EventKind.MESSAGE,
        None,
        None,
        (),
    )


@given(st.integers() | st.text() | st.none() | st.floats())
def test_any_claimed_time_is_a_time(stamp: object) -> None:
    assert moment({"origin_server_ts": stamp}).tzinfo is dt.UTC


def test_addresses_are_no_links_and_quotes_wrap() -> None:
    said = rendering.quoting("From: kim@user.example, by @ana:desk.example", "Ask max@other.example\nor me")
    assert said.formatted_body == (
        "From: <code>kim@user.example</code>, by @ana:desk.example"
        "<blockquote>Ask <code>max@other.example</code><br>or me</blockquote>"
    )
    assert rendering.plain("by @ana:desk.example").formatted_body == ""
    assert rendering.plain("To: kim@user.example").formatted_body == "To: <code>kim@user.example</code>"
