# SPDX-License-Identifier: AGPL-3.0-or-later
"""Searching among many messages, against a plain FTS5 table on disk; and what the index takes."""

import asyncio
import datetime as dt
import os
import random
import sqlite3
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Figure, median_ratio, percentile
from storage.search.index import Entry, SearchIndex
from storage.search.tree import AllOf, Node, Phrase, Prefix, Search, Word

MESSAGES = int(os.environ.get("BENCH_MESSAGES", "100000"))
A_TICKET = 4
WORDS_EACH = 60
VOCABULARY = 30_000
ROUNDS = 60
TARGET_RATIO = 1.5
TARGET_P95 = 20.0
TARGET_MEGABYTES = 130.0
TARGET_HELD = 20.0
_PLAIN = (
    "SELECT snippet(plain, 0, '[', ']', '…', 12) FROM plain WHERE plain MATCH ? ORDER BY rowid DESC LIMIT 8"
)
_START = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
_SYLLABLES = (
    "ka",
    "lo",
    "mi",
    "tur",
    "esch",
    "ño",
    "ver",
    "дом",
    "ся",
    "שלום",
    "ال",
    "ção",
    "ung",
    "wi",
    "fi",
    "bo",
)


def measure(folder: Path) -> Iterator[Figure]:
    """Fill both, and ask both in turn."""
    texts = list(_texts())
    plain = _plain(folder / "plain.db", texts)
    yield from asyncio.run(_measure(plain, texts))


def _texts() -> Iterator[str]:
    """Words as they are in languages: the n-th most common is n times as rare as the first."""
    chance = random.Random(7)
    words = ["".join(chance.choices(_SYLLABLES, k=chance.randint(2, 4))) for _ in range(VOCABULARY)]
    weights = [1 / rank for rank in range(1, VOCABULARY + 1)]
    for _ in range(MESSAGES):
        yield " ".join(chance.choices(words, weights, k=WORDS_EACH))


def _plain(file: Path, texts: list[str]) -> sqlite3.Connection:
    database = sqlite3.connect(file)
    database.execute(
        "CREATE VIRTUAL TABLE plain USING fts5 (text, tokenize = 'unicode61 remove_diacritics 2')"
    )
    database.executemany("INSERT INTO plain (text) VALUES (?)", ((text,) for text in texts))
    database.commit()
    return database


def _entries(texts: list[str]) -> Iterator[Entry]:
    for number in range(len(texts) // A_TICKET):
        at = _START + dt.timedelta(minutes=20 * number)
        yield Entry(
            ticket=number + 1,
            queue="en",
            language="en",
            version="7.1",
            state="answered",
            is_left=False,
            owner="",
            contact_tag="",
            opened_at=at,
            last_at=at,
            texts=tuple(texts[number * A_TICKET : (number + 1) * A_TICKET]),
        )


async def _measure(plain: sqlite3.Connection, texts: list[str]) -> list[Figure]:
    index, before, held = SearchIndex(), _resident(), []
    watch = asyncio.create_task(_watch(held))
    for entry in _entries(texts):
        await index.put([entry.ticket], [entry])
    megabytes = (_resident() - before) * 100_000 / MESSAGES
    ours, floor = [], []
    for match, node in _questions(texts):
        began = time.perf_counter()
        plain.execute(_PLAIN, (match,)).fetchall()
        floor.append((time.perf_counter() - began) * 1000)
        began = time.perf_counter()
        await index.find(Search(node))
        ours.append((time.perf_counter() - began) * 1000)
    watch.cancel()
    await index.close()
    return _figures(ours, floor, held, megabytes)


def _figures(ours: list[float], floor: list[float], held: list[float], megabytes: float) -> list[Figure]:
    p95, longest, count = percentile(ours, 0.95), max(held), len(ours)
    middle, least, ratio = statistics.median(ours), statistics.median(floor), median_ratio(ours, floor)
    name = f"a search in {MESSAGES} messages"
    return [
        Figure(f"{name} / a plain FTS5 table on disk", ratio, TARGET_RATIO, middle, least, "ms", count),
        _against(f"{name}, 95th percentile", p95, TARGET_P95, "ms", count),
        _against("memory of the index for 100,000 messages", megabytes, TARGET_MEGABYTES, "MB", MESSAGES),
        _against("the event loop held by a search, longest", longest, TARGET_HELD, "ms", len(held)),
    ]


def _against(name: str, ours: float, target: float, unit: str, count: int) -> Figure:
    return Figure(f"{name} / {target:.0f} {unit}", ours / target, 1.0, ours, target, unit, count)


async def _watch(held: list[float]) -> None:
    """Note for how many milliseconds each turn of the event loop was late."""
    while True:
        began = time.perf_counter()
        await asyncio.sleep(0.001)
        held.append((time.perf_counter() - began) * 1000 - 1)


def _questions(texts: list[str]) -> Iterator[tuple[str, Node]]:
    """Words as they stand in the texts, common and rare; two words; phrases; begins."""
    chance = random.Random(11)
    for number in range(ROUNDS):
        words = chance.choice(texts).split()
        at = chance.randrange(len(words) - 1)
        first, second = words[at], words[at + 1]
        kinds: list[tuple[str, Node]] = [
            (f'"{first}"', Word(first)),
            (f'"{first}" "{second}"', AllOf((Word(first), Word(second)))),
            (f'"{first} {second}"', Phrase(f"{first} {second}")),
            (f'"{first[:4]}"*', Prefix(first[:4])),
        ]
        yield kinds[number % len(kinds)]


def _resident() -> float:
    """Return this process's resident memory in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
