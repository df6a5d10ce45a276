# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is found in the index, and that what is forgotten is not."""

import datetime as dt
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest

from storage.search.index import Entry, SearchIndex
from storage.search.snippets import MARK, UNMARK
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
)

DAY = dt.timedelta(days=1)
NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
TEXTS = {
    1: "My Wi-Fi card does not work: iwlwifi says error -5.",
    2: "L'écran reste noir après le démarrage.",
    3: "启动后屏幕是黑色的，没有反应。",
    4: "หน้าจอดำหลังจากเริ่มระบบ",
    5: "המסך שחור אחרי האתחול",
    6: "起動後に画面が真っ黒です",
    7: "Der Bildschirm bleibt schwarz. Größe: STRASSE.",
}


def entry(number: int, *texts: str, **facts: Any) -> Entry:
    """A ticket that was opened on the day of its number."""
    usual = {
        "queue": "en",
        "language": "en",
        "version": "7.1",
        "state": "new",
        "is_left": True,
        "owner": "",
        "contact_tag": f"tag{number}",
        "opened_at": NOON + number * DAY,
        "last_at": NOON + number * DAY,
    }
    return Entry(number, texts=texts, **{**usual, **facts})


@pytest.fixture(name="index")
async def make_index() -> AsyncIterator[SearchIndex]:
    index = SearchIndex()
    entries = [entry(number, text) for number, text in TEXTS.items()]
    await index.put(TEXTS, entries)
    yield index
    await index.close()


async def found(index: SearchIndex, node: Node, **how: Any) -> list[int]:
    return [hit.ticket for hit in (await index.find(Search(node, **how))).hits]


@pytest.mark.parametrize(
    ("node", "tickets"),
    [
        (Word("WIFI"), []),
        (Word("wi-fi"), [1]),
        (Word("ecran"), [2]),
        (Word("ÉCRAN"), [2]),
        (Word("strasse"), [7]),
        (Prefix("iwl"), [1]),
        (Phrase("reste noir"), [2]),
        (Phrase("noir reste"), []),
        (Word("屏幕"), [3]),
        (Word("黑色的"), [3]),
        (Word("黑"), [3]),
        (Word("จอดำ"), [4]),
        (Word("שחור"), [5]),
        (Word("画面が真"), [6]),
        (AllOf((Word("reste"), Not(Word("noir")))), []),
        (AnyOf((Word("reste"), Word("card"))), [2, 1]),
        (AllOf((Word("bleibt"), Word("schwarz"))), [7]),
        (Word('" OR text:*'), []),
        (Word("100%"), []),
    ],
)
async def test_words_are_found_whatever_their_script_case_and_accents(
    index: SearchIndex, node: Node, tickets: list[int]
) -> None:
    assert await found(index, node) == tickets


@pytest.mark.parametrize(
    ("node", "tickets"),
    [
        (Fact(FactName.VERSION, "7"), [3, 2]),
        (Fact(FactName.VERSION, "7.1"), [2]),
        (Fact(FactName.LANGUAGE, "pt"), [3]),
        (Fact(FactName.TAG, "boot"), [3]),
        (Fact(FactName.ISSUE, 17935), [2]),
        (Fact(FactName.IS_LEFT, 1), [2]),
        (Fact(FactName.CONTACT, "tag3"), [3]),
        (Opened(start=NOON + 3 * DAY), [3]),
        (Opened(end=NOON + 3 * DAY), [2, 1]),
        (AllOf(()), [3, 2, 1]),
    ],
)
async def test_tickets_are_found_by_what_is_known_of_them(node: Node, tickets: list[int]) -> None:
    index = SearchIndex()
    entries = [
        entry(1, version="70", is_left=False),
        entry(2, version="7.1", issues=(17935,)),
        entry(3, version="7", language="pt-br", tags=("boot", "usb"), is_left=False),
    ]
    await index.put([], entries)
    assert await found(index, node) == tickets
    await index.close()


async def test_what_is_forgotten_or_said_otherwise_is_found_no_more(index: SearchIndex) -> None:
    await index.put([1, 3], [entry(1, "My card works now.")])
    assert await found(index, Word("iwlwifi")) == []
    assert await found(index, Word("works")) == [1]
    assert await found(index, Word("屏幕")) == []
    assert await found(index, Fact(FactName.CONTACT, "tag3")) == []


async def test_a_snippet_marks_what_was_found(index: SearchIndex) -> None:
    [hit] = (await index.find(Search(Word("ecran")))).hits
    assert f"{MARK}écran{UNMARK} reste noir" in hit.snippet
    [hit] = (await index.find(Search(Word("屏幕")))).hits
    assert f"{MARK}屏幕{UNMARK}是黑色的" in hit.snippet


async def test_letters_that_are_written_in_two_characters_are_found_and_marked() -> None:
    index = SearchIndex()
    await index.put([], [entry(1, "L'e\u0301cran est noir."), entry(2, "か\u3099らすが割れた")])
    [hit] = (await index.find(Search(Word("ecran")))).hits
    assert f"{MARK}écran{UNMARK} est noir" in hit.snippet
    assert await found(index, Word("がら")) == [2]
    await index.close()


async def test_pages_are_newest_first_and_by_rank_where_that_is_asked_for() -> None:
    index = SearchIndex()
    texts: Iterable[str] = ("wifi " + "word " * number for number in range(1, 21))
    await index.put([], [entry(number, text) for number, text in enumerate(texts, 1)])
    page = await index.find(Search(Word("wifi")), page=1, size=8)
    assert (page.total, [hit.ticket for hit in page.hits]) == (20, list(range(12, 4, -1)))
    assert (await found(index, Word("wifi"), by_rank=True))[0] == 1
    await index.close()
