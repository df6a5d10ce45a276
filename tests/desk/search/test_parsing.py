# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is typed after `!search` becomes a tree, or a sentence on what is wrong in it."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.search.parsing import Asked, parse
from desk.world import Refusal
from storage.search.index import SearchIndex
from storage.search.tree import (
    AllOf,
    AnyOf,
    Fact,
    FactName,
    Node,
    Not,
    Opened,
    Phrase,
    Prefix,
    Search,
    Word,
    wanted_words,
)
from tests.worlds.desk import ANA, BEN, CONFIG

NOW = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
ASKED = Asked(ANA, NOW, CONFIG, lambda address: f"tag of {address}")


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("wifi", Word("wifi")),
        ("wif*", Prefix("wif")),
        ('"black screen"', Phrase("black screen")),
        ("wifi -usb", AllOf((Word("wifi"), Not(Word("usb"))))),
        ("wifi OR wlan card", AnyOf((Word("wifi"), AllOf((Word("wlan"), Word("card")))))),
        ("(wifi OR wlan) card", AllOf((AnyOf((Word("wifi"), Word("wlan"))), Word("card")))),
        ("or", Word("or")),
        ("LANG:fr", Fact(FactName.LANGUAGE, "fr")),
        ('tag:"dark mode"', Fact(FactName.TAG, "dark mode")),
        ("version:7", Fact(FactName.VERSION, "7")),
        ("is:left", Fact(FactName.IS_LEFT, 1)),
        ("is:open", Not(Fact(FactName.STATE, "closed"))),
        ("has:log", Fact(FactName.HAS_LOG, 1)),
        ("problem:#17935", Fact(FactName.ISSUE, 17935)),
        ("from:me", Fact(FactName.OWNER, ANA)),
        ("from:ben", Fact(FactName.OWNER, BEN)),
        ("before:2026-05", Opened(end=dt.datetime(2026, 5, 1, tzinfo=dt.UTC))),
        ("after:30d", Opened(start=NOW - dt.timedelta(days=30))),
        ("contact:kim@example.net", Fact(FactName.CONTACT, "tag of kim@example.net")),
        ("-tag:spam", Not(Fact(FactName.TAG, "spam"))),
        ("屏幕", Word("屏幕")),
        ("e\u0301cran", Word("écran")),
        ("error:", Word("error:")),
    ],
)
def test_each_form_is_understood(text: str, node: Node) -> None:
    assert parse(text, ASKED) == Search(node)


def test_the_order_is_asked_for_beside_the_words() -> None:
    assert parse("wifi sort:rank", ASKED) == Search(Word("wifi"), by_rank=True)
    with pytest.raises(Refusal, match="stands once"):
        parse("wifi OR (sort:rank usb)", ASKED)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("vers:7", "Do you mean `version:`"),
        ("https://example.org", "put them in quotes"),
        ('"black screen', "A quote is not closed"),
        ("(wifi", "brackets come in pairs"),
        ("wifi OR", "I do not understand"),
        ("", "I do not understand"),
        ("sort:rank", "Something is missing"),
        ("is:odd", "`is:` knows open, left, new"),
        ("has:money", "`has:` knows log, file, note"),
        ("problem:P", "number of an issue"),
        ("from:eve", "not an agent"),
        ("before:tomorrow", "no time: write 2026-05"),
        ("before:2026-13", "no time"),
        ("contact:kim", "a whole address"),
        ("sort:odd", "`sort:` knows rank and new"),
        ("!!", "no letter and no digit"),
        ("x " * 300, "500 characters"),
        ("x " * 60, "40 words"),
        ("wifi --usb", "I do not understand"),
        ("(" * 11 + "x" + ")" * 11, "10 brackets"),
        ("wi\x00fi", "cannot be searched for"),
        ("wifi \ud800", "cannot be searched for"),
        ("after:9999y", "no time"),
        ("version: 7", "right after `version:`"),
        ('tag:""', "right after `tag:`"),
        ("vérsion:7", "Do you mean `version:`"),
        ("has_log:1", "There is no key"),
    ],
)
def test_what_is_wrong_is_said(text: str, sentence: str) -> None:
    with pytest.raises(Refusal, match=sentence.replace("(", "\\(")):
        parse(text, ASKED)


@given(st.text(max_size=80))
def test_any_text_is_a_search_or_a_sentence(text: str) -> None:
    try:
        found = parse(text, ASKED)
    except Refusal:
        return
    assert all(any(map(str.isalnum, word.text)) for word in wanted_words(found.node))


@given(st.text(alphabet='ab7屏 "-()*:OR\x00e\u0301', max_size=60))
async def test_whatever_is_understood_can_be_looked_for(text: str) -> None:
    index = SearchIndex()
    try:
        await index.find(parse(text, ASKED))
    except Refusal:
        return
    finally:
        await index.close()


@pytest.mark.parametrize("level", ["(a OR -", "-(a OR ", "(a -", "-("])
async def test_the_deepest_search_is_not_too_deep_for_the_database(level: str) -> None:
    index = SearchIndex()
    deepest = level * 10 + "b" + " c)" * 10
    assert (await index.find(parse(deepest, ASKED))).total == 0
    await index.close()
