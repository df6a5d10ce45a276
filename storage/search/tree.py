# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is searched for, as a tree: it becomes SQL with parameters, and its words are never a part of that."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum


class FactName(StrEnum):
    """What is known of a ticket beside its words; the values are columns of the index."""

    QUEUE = "queue"
    LANGUAGE = "language"
    VERSION = "version"
    """The value, or a part below it: 7 finds 7.1."""
    STATE = "state"
    IS_LEFT = "is_left"
    OWNER = "owner"
    CONTACT = "contact_tag"
    HAS_LOG = "has_log"
    HAS_FILE = "has_file"
    HAS_NOTE = "has_note"
    TAG = "tag"
    ISSUE = "issue"


@dataclass(frozen=True)
class Word:
    """A word; in scripts without spaces, a part of one. Case and accents do not matter."""

    text: str


@dataclass(frozen=True)
class Prefix:
    """The begin of a word."""

    text: str


@dataclass(frozen=True)
class Phrase:
    """Words that follow each other."""

    text: str


@dataclass(frozen=True)
class Fact:
    """Something known of a ticket."""

    name: FactName
    value: str | int


@dataclass(frozen=True)
class Opened:
    """When a ticket was opened: from `start` on, up to `end`; None is open."""

    start: dt.datetime | None = None
    end: dt.datetime | None = None


@dataclass(frozen=True)
class Not:
    """What does not hold."""

    node: "Node"


@dataclass(frozen=True)
class AllOf:
    """What holds together; of nothing, all."""

    nodes: tuple["Node", ...] = ()


@dataclass(frozen=True)
class AnyOf:
    """Of what one holds."""

    nodes: tuple["Node", ...]


Node = Word | Prefix | Phrase | Fact | Opened | Not | AllOf | AnyOf


@dataclass(frozen=True)
class Search:
    """A whole search; newest first unless by rank."""

    node: Node
    by_rank: bool = False


def asks_for(node: Node, name: FactName) -> bool:
    """Tell whether a fact is asked for, also where it is excluded."""
    match node:
        case Fact():
            return node.name is name
        case Not(inner):
            return asks_for(inner, name)
        case AllOf(nodes) | AnyOf(nodes):
            return any(asks_for(each, name) for each in nodes)
        case _:
            return False


def wanted_words(node: Node) -> tuple[Word | Prefix | Phrase, ...]:
    """Return the words that a hit may hold: those that are not excluded."""
    match node:
        case Word() | Prefix() | Phrase():
            return (node,)
        case AllOf(nodes) | AnyOf(nodes):
            return tuple(each for one in nodes for each in wanted_words(one))
        case _:
            return ()
