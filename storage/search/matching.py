# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which tickets a search means, newest first: as many as are wanted, and no more is read than that takes."""

import sqlite3
from collections.abc import Iterator
from itertools import islice

from storage.search.conditions import TEXT_BITS, condition_of, match_of
from storage.search.scripts import has_no_spaces
from storage.search.tree import AllOf, Node, Phrase, Prefix, Word

_AT_ONCE = 200
_NONE_LEFT = -1


def newest(database: sqlite3.Connection, node: Node, most: int) -> list[int]:
    """Return the numbers of up to so many tickets, the newest first."""
    nodes = node.nodes if isinstance(node, AllOf) else (node,)
    words = [
        each for each in nodes if isinstance(each, Word | Prefix | Phrase) and not has_no_spaces(each.text)
    ]
    rest = AllOf(tuple(each for each in nodes if each not in words))
    if not words:
        return list(islice(_meant(database, rest, "1", ()), most))
    having = _in_all([_with(database, word) for word in words])
    return list(islice(_filtered(database, having, rest) if rest.nodes else having, most))


def _with(database: sqlite3.Connection, word: Word | Prefix | Phrase) -> Iterator[int]:
    """Yield the tickets with a word: FTS5 has the rows in order, so that nothing is sorted."""
    last = None
    query = "SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid DESC"
    for (row,) in database.execute(query, (match_of(word),)):
        ticket = row >> TEXT_BITS
        if ticket != last:
            last = ticket
            yield ticket


def _in_all(streams: list[Iterator[int]]) -> Iterator[int]:
    """Yield what stands in all of several descending streams."""
    heads = [next(stream, _NONE_LEFT) for stream in streams]
    while (lowest := min(heads)) != _NONE_LEFT:
        if max(heads) == lowest:
            yield lowest
            lowest -= 1
        for place, stream in enumerate(streams):
            while heads[place] > lowest:
                heads[place] = next(stream, _NONE_LEFT)


def _filtered(database: sqlite3.Connection, tickets: Iterator[int], rest: Node) -> Iterator[int]:
    while some := list(islice(tickets, _AT_ONCE)):
        among = f"t.id IN ({', '.join('?' * len(some))})"
        yield from _meant(database, rest, among, tuple(some))


def _meant(database: sqlite3.Connection, node: Node, among: str, values: tuple[int, ...]) -> Iterator[int]:
    condition = condition_of(node)
    query = f"SELECT t.id FROM ticket t WHERE {among} AND ({condition.sql}) ORDER BY t.id DESC"  # noqa: S608 - ours
    for (ticket,) in database.execute(query, (*values, *condition.values)):
        yield ticket
