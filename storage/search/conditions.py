# SPDX-License-Identifier: AGPL-3.0-or-later
"""A tree as a condition on `ticket t` of the index, in SQL with parameters."""

import datetime as dt
from dataclasses import dataclass

from storage.search.scripts import has_no_spaces
from storage.search.tree import AllOf, AnyOf, Fact, FactName, Node, Not, Opened, Phrase, Prefix, Word

TEXT_BITS = 12
"""A text's row number holds the ticket's number, and in so many bits the text's place in it."""
_BELOW = {FactName.VERSION: ".", FactName.LANGUAGE: "-"}
"""What stands between a value and one below it, as in 7.1 and pt-br: the upper one finds both."""
_SHORTEST_PART = 3
"""What a trigram index finds; shorter parts are looked for in all texts of such scripts."""
_BY_WORDS = "t.id IN (SELECT rowid >> 12 FROM words WHERE words MATCH ?)"
_BY_PARTS = "t.id IN (SELECT rowid >> 12 FROM parts WHERE parts MATCH ?)"
_BY_SHORT = "t.id IN (SELECT rowid >> 12 FROM parts WHERE text LIKE ? ESCAPE '!')"


@dataclass(frozen=True)
class Condition:
    """Words of SQL, and the values for their question marks."""

    sql: str
    values: tuple[object, ...] = ()


def condition_of(node: Node) -> Condition:
    """Return what holds of the tickets that a tree means."""
    match node:
        case Fact(name, value):
            return _of_fact(name, value)
        case Opened(start, end):
            return _of_time(start, end)
        case Not(inner):
            inside = condition_of(inner)
            return Condition(f"NOT ({inside.sql})", inside.values)
        case AllOf(nodes):
            return _joined(" AND ", nodes, "1")
        case AnyOf(nodes):
            return _joined(" OR ", nodes, "0")
        case _:
            return _of_word(node)


def _of_word(word: Word | Prefix | Phrase) -> Condition:
    if not has_no_spaces(word.text):
        return Condition(_BY_WORDS, (match_of(word),))
    if len(word.text) < _SHORTEST_PART:
        return Condition(_BY_SHORT, (like(word.text),))
    return Condition(_BY_PARTS, (match_of(Phrase(word.text)),))


def _of_time(start: dt.datetime | None, end: dt.datetime | None) -> Condition:
    parts = [("t.opened_at >= ?", start), ("t.opened_at < ?", end)]
    known = [(sql, moment.timestamp()) for sql, moment in parts if moment is not None]
    return Condition(" AND ".join(sql for sql, _ in known) or "1", tuple(value for _, value in known))


def match_of(word: Word | Prefix | Phrase) -> str:
    """Return a word as FTS5 looks for it: a string in its own quotes, in which nothing has a meaning."""
    quoted = '"' + word.text.replace('"', '""') + '"'
    return f"{quoted}*" if isinstance(word, Prefix) else quoted


def like(text: str) -> str:
    """Return a part of a text as LIKE looks for it."""
    escaped = "".join(f"!{char}" if char in "!%_" else char for char in text)
    return f"%{escaped}%"


def _of_fact(name: FactName, value: str | int) -> Condition:
    if name is FactName.TAG:
        return Condition("t.id IN (SELECT ticket FROM tag WHERE name = ?)", (value,))
    if name is FactName.ISSUE:
        return Condition("t.id IN (SELECT ticket FROM problem WHERE issue = ?)", (value,))
    if name in _BELOW:
        column, below = f"t.{name.value}", f"{like(str(value))[1:-1]}{_BELOW[name]}%"
        return Condition(f"({column} = ? OR {column} LIKE ? ESCAPE '!')", (value, below))
    return Condition(f"t.{name.value} = ?", (value,))


def _joined(word: str, nodes: tuple[Node, ...], otherwise: str) -> Condition:
    each = [condition_of(node) for node in nodes]
    sql = word.join(f"({one.sql})" for one in each) or otherwise
    return Condition(sql, tuple(value for one in each for value in one.values))
