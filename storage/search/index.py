# SPDX-License-Identifier: AGPL-3.0-or-later
"""The index: SQLite's FTS5 in memory, in a thread of its own, so that no search holds up the event loop."""

import asyncio
import datetime as dt
import sqlite3
import unicodedata
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from storage.search.conditions import TEXT_BITS, match_of
from storage.search.kept import KeptSearches
from storage.search.matching import newest
from storage.search.scripts import has_no_spaces
from storage.search.snippets import snippet
from storage.search.tree import Search, wanted_words

T = TypeVar("T")
MOST_COUNTED = 200
"""Beyond it nobody turns the pages, and counting takes time."""
_MOST_TEXTS = 1 << TEXT_BITS
_SCHEMA = """
CREATE TABLE ticket (
    id INTEGER PRIMARY KEY, queue TEXT, language TEXT, version TEXT, state TEXT, is_left INTEGER, owner TEXT,
    contact_tag TEXT, has_log INTEGER, has_file INTEGER, has_note INTEGER, opened_at REAL, last_at REAL
);
CREATE INDEX ticket_by_contact ON ticket (contact_tag);
CREATE TABLE tag (ticket INTEGER, name TEXT, PRIMARY KEY (name, ticket)) WITHOUT ROWID;
CREATE INDEX tag_by_ticket ON tag (ticket);
CREATE TABLE problem (ticket INTEGER, issue INTEGER, PRIMARY KEY (issue, ticket)) WITHOUT ROWID;
CREATE INDEX problem_by_ticket ON problem (ticket);
CREATE TABLE doc (id INTEGER PRIMARY KEY, text TEXT);
CREATE VIRTUAL TABLE words USING fts5 (
    text, content = 'doc', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2'
);
CREATE VIRTUAL TABLE parts USING fts5 (text, content = 'doc', content_rowid = 'id', tokenize = 'trigram');
"""


@dataclass(frozen=True)
class Entry:
    """A ticket as it is found: facts, and texts of all that was said in it."""

    ticket: int
    queue: str
    language: str
    version: str
    state: str
    is_left: bool
    owner: str
    contact_tag: str
    opened_at: dt.datetime
    last_at: dt.datetime
    tags: tuple[str, ...] = ()
    issues: tuple[int, ...] = ()
    texts: tuple[str, ...] = field(default=(), repr=False)
    has_log: bool = False
    has_file: bool = False
    has_note: bool = False


@dataclass(frozen=True)
class Hit:
    """A ticket that was found; in the snippet, what was found stands between MARK and UNMARK."""

    ticket: int
    queue: str
    language: str
    version: str
    state: str
    opened_at: dt.datetime
    issues: tuple[int, ...]
    snippet: str = field(repr=False)


@dataclass(frozen=True)
class Page:
    """A page of hits."""

    total: int
    """How many there are on all pages; MOST_COUNTED + 1 for more than that."""
    hits: tuple[Hit, ...]


class SearchIndex:
    """What can be found. Its methods wait for its thread; nothing else touches its database."""

    def __init__(self) -> None:
        """Nothing can be found yet, and nothing runs."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="search")
        self._database: sqlite3.Connection | None = None
        self._changed: set[int] = set()
        self.kept = KeptSearches()
        self.searched_share = 0.0
        """How much of the tickets that there were at the start can be found: from 0 to 1."""

    def note_changed(self, tickets: Iterable[int]) -> None:
        """Remember tickets that have to be read anew."""
        self._changed.update(tickets)

    def take_changed(self, most: int) -> list[int]:
        """Return some of the tickets that have to be read anew, and forget that."""
        taken = sorted(self._changed, reverse=True)[:most]
        self._changed.difference_update(taken)
        return taken

    async def put(self, tickets: Collection[int], entries: Collection[Entry]) -> None:
        """Forget what is known of tickets, and learn entries, which are of them; the others are gone."""
        await self._run(lambda database: _replace(database, tickets, entries))

    async def find(self, search: Search, *, page: int = 0, size: int = 8) -> Page:
        """Return a page of the tickets that are searched for; pages are counted from 0."""
        return await self._run(lambda database: _find(database, search, page, size))

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: work(self._opened()))

    def _opened(self) -> sqlite3.Connection:
        """Return the database; in its thread."""
        if self._database is None:
            self._database = sqlite3.connect(":memory:", isolation_level=None)
            self._database.executescript(_SCHEMA)
        return self._database

    async def close(self) -> None:
        """Forget everything."""
        if self._database is not None:
            await self._run(sqlite3.Connection.close)
            self._database = None
        self._thread.shutdown(wait=False)


def _replace(database: sqlite3.Connection, tickets: Collection[int], entries: Collection[Entry]) -> None:
    database.execute("BEGIN")
    try:
        for ticket in tickets:
            _forget(database, ticket)
        for entry in entries:
            _learn(database, entry)
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def _forget(database: sqlite3.Connection, ticket: int) -> None:
    for number, text in _texts_of(database, ticket):
        database.execute("INSERT INTO words (words, rowid, text) VALUES ('delete', ?, ?)", (number, text))
        if has_no_spaces(text):
            database.execute("INSERT INTO parts (parts, rowid, text) VALUES ('delete', ?, ?)", (number, text))
        database.execute("DELETE FROM doc WHERE id = ?", (number,))
    for table, column in (("tag", "ticket"), ("problem", "ticket"), ("ticket", "id")):
        database.execute(f"DELETE FROM {table} WHERE {column} = ?", (ticket,))  # noqa: S608 - names of ours


def _texts_of(database: sqlite3.Connection, ticket: int) -> list[tuple[int, str]]:
    """Return row number and text of all that was said in a ticket, newest first."""
    first = ticket << TEXT_BITS
    query = "SELECT id, text FROM doc WHERE id >= ? AND id < ? ORDER BY id DESC"
    return database.execute(query, (first, first + _MOST_TEXTS)).fetchall()


def _learn(database: sqlite3.Connection, entry: Entry) -> None:
    database.execute(
        "INSERT INTO ticket VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            entry.ticket,
            entry.queue,
            entry.language,
            entry.version,
            entry.state,
            entry.is_left,
            entry.owner,
            entry.contact_tag,
            entry.has_log,
            entry.has_file,
            entry.has_note,
            entry.opened_at.timestamp(),
            entry.last_at.timestamp(),
        ),
    )
    database.executemany("INSERT INTO tag VALUES (?, ?)", [(entry.ticket, name) for name in entry.tags])
    database.executemany(
        "INSERT INTO problem VALUES (?, ?)", [(entry.ticket, issue) for issue in entry.issues]
    )
    for place, text in enumerate(_few(entry.texts)):
        row = ((entry.ticket << TEXT_BITS) + place, text)
        database.execute("INSERT INTO doc (id, text) VALUES (?, ?)", row)
        database.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", row)
        if has_no_spaces(text):
            database.execute("INSERT INTO parts (rowid, text) VALUES (?, ?)", row)


def _few(texts: Sequence[str]) -> list[str]:
    """Return no more texts than a ticket can have here: the first of too many become one.

    A letter and its accent become one character, as in what is searched for.
    """
    said = [unicodedata.normalize("NFC", text) for text in texts if text]
    more = len(said) - _MOST_TEXTS
    return said if more <= 0 else ["\n\n".join(said[: more + 1]), *said[more + 1 :]]


_FACTS = "t.id, t.queue, t.language, t.version, t.state, t.opened_at"


def _find(database: sqlite3.Connection, search: Search, page: int, size: int) -> Page:
    found = newest(database, search.node, MOST_COUNTED + 1)
    if search.by_rank and (match := _any_of(search)):
        found = _best_first(database, found, match)
    shown = found[page * size : (page + 1) * size]
    return Page(len(found), tuple(_hit(database, search, ticket) for ticket in shown))


def _best_first(database: sqlite3.Connection, tickets: list[int], match: str) -> list[int]:
    """Return tickets by their best text; to rank takes long, so that only the newest of too many are."""
    ranks: dict[int, float] = {}
    wanted = set(tickets)
    for row, rank in database.execute("SELECT rowid, rank FROM words WHERE words MATCH ?", (match,)):
        ticket = row >> TEXT_BITS
        if ticket in wanted:
            ranks[ticket] = min(rank, ranks.get(ticket, 0.0))
    return sorted(tickets, key=lambda ticket: (ranks.get(ticket, 0.0), -ticket))


def _hit(database: sqlite3.Connection, search: Search, ticket: int) -> Hit:
    facts = database.execute(f"SELECT {_FACTS} FROM ticket t WHERE t.id = ?", (ticket,))  # noqa: S608 - ours
    _, queue, language, version, state, opened_at = facts.fetchone()
    issues = database.execute("SELECT issue FROM problem WHERE ticket = ? ORDER BY issue", (ticket,))
    return Hit(
        ticket,
        queue,
        language,
        version,
        state,
        dt.datetime.fromtimestamp(opened_at, dt.UTC),
        tuple(issue for (issue,) in issues),
        snippet((text for _, text in _texts_of(database, ticket)), wanted_words(search.node)),
    )


def _any_of(search: Search) -> str:
    spaced = [word for word in wanted_words(search.node) if not has_no_spaces(word.text)]
    return " OR ".join(map(match_of, spaced))
