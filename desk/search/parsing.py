# SPDX-License-Identifier: AGPL-3.0-or-later
"""The words after `!search`, as a tree."""

import contextlib
import datetime as dt
import difflib
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedInput, VisitError

from desk.config import DeskConfig
from desk.world import Refusal
from storage.models import TicketState
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

MOST_CHARS = 500
_MOST_WORDS = 40
_MOST_BRACKETS = 10
"""SQLite reads only so many levels."""
_NO_WORDS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_MOST_DIGITS = 9
_HAS = {"log": FactName.HAS_LOG, "file": FactName.HAS_FILE, "note": FactName.HAS_NOTE}
_SPAN = re.compile(r"(\d{1,4})([dwmy])")
_DAYS = {"d": 1, "w": 7, "m": 30, "y": 365}
_DATE = re.compile(r"(\d{4})-(\d{1,2})(?:-(\d{1,2}))?")


@dataclass(frozen=True)
class Asked:
    """Who searches, when, and what the desk knows that a search names."""

    agent: str
    """A Matrix user id; empty on the command line."""
    now: dt.datetime
    config: DeskConfig
    tag_of: Callable[[str], str]
    """Returns the keyed tag of an address."""


@dataclass(frozen=True)
class _Sort:
    by_rank: bool


def parse(text: str, asked: Asked) -> Search:
    """Return what a text searches for; raises Refusal with a sentence on what is wrong in it."""
    if len(text) > MOST_CHARS:
        raise Refusal(f"A search has {MOST_CHARS} characters at most.")
    if _NO_WORDS.search(text):
        raise Refusal("Here is a character that cannot be searched for: type the words anew.")
    if text.count("(") > _MOST_BRACKETS:
        raise Refusal(f"A search has {_MOST_BRACKETS} brackets at most.")
    if text.count('"') % 2:
        raise Refusal('A quote is not closed: put " on both sides of the phrase.')
    try:
        found = _Tree(asked).transform(_grammar().parse(unicodedata.normalize("NFC", text)))
    except VisitError as error:
        if isinstance(error.orig_exc, Refusal):
            raise error.orig_exc from None
        raise
    except UnexpectedInput:
        raise Refusal(
            "I do not understand this search. Words stand beside each other; - excludes one, OR takes "
            "either, and brackets come in pairs."
        ) from None
    return _search(found)


@cache
def _grammar() -> Lark:
    return Lark(Path(__file__).with_name("grammar.lark").read_text(), parser="lalr", maybe_placeholders=False)


def _search(found: Any) -> Search:
    nodes = found.nodes if isinstance(found, AllOf) else (found,)
    sorts = [each for each in nodes if isinstance(each, _Sort)]
    rest = tuple(each for each in nodes if not isinstance(each, _Sort))
    if not rest:
        raise Refusal("Something is missing: what to search for.")
    if _holds_sort(rest):
        raise Refusal("`sort:` stands once, beside all else.")
    return Search(rest[0] if len(rest) == 1 else AllOf(rest), by_rank=any(each.by_rank for each in sorts))


def _holds_sort(nodes: tuple[Any, ...]) -> bool:
    for each in nodes:
        inner = (
            each.nodes if isinstance(each, AllOf | AnyOf) else (each.node,) if isinstance(each, Not) else ()
        )
        if isinstance(each, _Sort) or _holds_sort(inner):
            return True
    return False


class _Tree(Transformer[Token, Any]):
    """Turns what the grammar has found into our tree."""

    def __init__(self, asked: Asked) -> None:
        super().__init__()
        self._asked = asked
        self._words = 0

    def either(self, nodes: list[Node]) -> Node:
        """Return what one of holds."""
        return AnyOf(tuple(nodes))

    def all(self, nodes: list[Node]) -> Node:
        """Return what holds together."""
        return AllOf(tuple(nodes))

    def negation(self, nodes: list[Node]) -> Node:
        """Return what does not hold."""
        return Not(nodes[0])

    def word(self, tokens: list[Token]) -> Node:
        """Return a word, or the begin of one."""
        text = str(tokens[0])
        return self._counted(Prefix(text.rstrip("*")) if text.endswith("*") else Word(text))

    def phrase(self, tokens: list[Token]) -> Node:
        """Return a phrase."""
        return self._counted(Phrase(str(tokens[0]).strip('"')))

    def keyed(self, tokens: list[Token]) -> Any:
        """Return what a key and its value mean."""
        key, _, value = str(tokens[0]).partition(":")
        read, meant = KEYS.get(key.casefold()), value.strip('"')
        if read is None and not value:
            return self._counted(Word(str(tokens[0])))
        if read is None:
            near = difflib.get_close_matches(key.casefold(), KEYS, 1, 0.5)
            hint = f" Do you mean `{near[0]}:`?" if near else f" There are: {', '.join(sorted(KEYS))}."
            raise Refusal(
                f"There is no key `{key[:20]}:`.{hint} To search for the words, put them in quotes."
            )
        if not meant:
            raise Refusal(f"Write what you mean right after `{key.casefold()}:`, without a blank.")
        return read(meant, self._asked)

    def _counted(self, word: Word | Prefix | Phrase) -> Node:
        self._words += 1
        if self._words > _MOST_WORDS:
            raise Refusal(f"A search has {_MOST_WORDS} words at most.")
        if not any(char.isalnum() for char in word.text):
            raise Refusal(f"“{word.text[:20]}” holds no letter and no digit to search for.")
        return word


def _text(name: FactName) -> Callable[[str, Asked], Node]:
    return lambda value, _: Fact(name, value.casefold())


def _state(value: str, _: Asked) -> Node:
    word = value.casefold()
    if word == "left":
        return Fact(FactName.IS_LEFT, 1)
    if word == "open":
        return Not(Fact(FactName.STATE, TicketState.CLOSED.value))
    if word in {state.value for state in TicketState}:
        return Fact(FactName.STATE, word)
    states = ", ".join(("open", "left", *(state.value for state in TicketState)))
    raise Refusal(f"`is:` knows {states}.")


def _has(value: str, _: Asked) -> Node:
    name = _HAS.get(value.casefold())
    if name is None:
        raise Refusal(f"`has:` knows {', '.join(_HAS)}.")
    return Fact(name, 1)


def _owner(value: str, asked: Asked) -> Node:
    if value.casefold() == "me" and asked.agent:
        return Fact(FactName.OWNER, asked.agent)
    for agent in sorted(asked.config.agents):
        if value.casefold() in {agent.casefold(), agent[1:].partition(":")[0].casefold()}:
            return Fact(FactName.OWNER, agent)
    raise Refusal(f"“{value[:60]}” is not an agent of this desk.")


def _issue(value: str, _: Asked) -> Node:
    number = value.removeprefix("#")
    if not number.isdecimal() or len(number) > _MOST_DIGITS:
        raise Refusal("`problem:` wants the number of an issue, such as #17935.")
    return Fact(FactName.ISSUE, int(number))


def _contact(value: str, asked: Asked) -> Node:
    if "@" not in value:
        raise Refusal("`contact:` wants a whole address, such as kim@example.net.")
    return Fact(FactName.CONTACT, asked.tag_of(value))


def _before(value: str, asked: Asked) -> Node:
    return Opened(end=_moment(value, asked.now))


def _after(value: str, asked: Asked) -> Node:
    return Opened(start=_moment(value, asked.now))


def _moment(value: str, now: dt.datetime) -> dt.datetime:
    with contextlib.suppress(ValueError, OverflowError):
        if (span := _SPAN.fullmatch(value.casefold())) is not None:
            return now - dt.timedelta(days=int(span[1]) * _DAYS[span[2]])
        if (date := _DATE.fullmatch(value)) is not None:
            return dt.datetime(int(date[1]), int(date[2]), int(date[3] or 1), tzinfo=dt.UTC)
    raise Refusal(f"“{value[:20]}” is no time: write 2026-05, 2026-05-17 or 30d.")


def _sort(value: str, _: Asked) -> _Sort:
    if value.casefold() not in {"rank", "new"}:
        raise Refusal("`sort:` knows rank and new.")
    return _Sort(value.casefold() == "rank")


KEYS: dict[str, Callable[[str, Asked], Any]] = {
    "queue": _text(FactName.QUEUE),
    "lang": _text(FactName.LANGUAGE),
    "version": _text(FactName.VERSION),
    "tag": _text(FactName.TAG),
    "is": _state,
    "has": _has,
    "from": _owner,
    "problem": _issue,
    "contact": _contact,
    "before": _before,
    "after": _after,
    "sort": _sort,
}
"""What can stand before a colon."""
