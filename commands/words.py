# SPDX-License-Identifier: AGPL-3.0-or-later
"""From words to values: one converter per type, and each is the gate for its kind of object."""

import datetime as dt
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, NewType

from commands.context import Context
from desk.world import Refusal
from storage.models import Ticket

Rest = NewType("Rest", str)
"""The rest of the message as it was typed, line breaks included."""
Words = NewType("Words", tuple[str, ...])
"""All words that are left."""
UserId = NewType("UserId", str)
"""A Matrix user id."""
IssueNumber = NewType("IssueNumber", int)
"""The number of an issue: "#12" or "12"."""
RowNumber = NewType("RowNumber", int)
LanguageCode = NewType("LanguageCode", str)

# Client-server API, appendix "User Identifiers"; historical ids may hold more, ours need not.
_USER_ID = re.compile(r"@[a-z0-9._=/+-]+:[A-Za-z0-9.:\[\]-]+")
_LONGEST_USER_ID = 255
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")
_NUMBER = re.compile(r"#?([0-9]{1,9})")
_DURATION = re.compile(r"([0-9]{1,4})(m|h|d)")
_UNITS = {"m": dt.timedelta(minutes=1), "h": dt.timedelta(hours=1), "d": dt.timedelta(days=1)}


@dataclass(frozen=True)
class Remaining:
    """What of the message has not been taken yet."""

    text: str

    def word(self) -> tuple[str, "Remaining"]:
        """Return the next word (or double-quoted group) and what follows it; an empty word at the end."""
        text = self.text.lstrip()
        if text.startswith('"') and '"' in text[1:]:
            end = text.index('"', 1)
            return text[1:end], Remaining(text[end + 1 :])
        parts = text.split(maxsplit=1)
        if not parts:
            return "", Remaining("")
        return parts[0], Remaining(text[len(parts[0]) :])

    def rest(self) -> str:
        """Return all that is left, without the blanks around it."""
        return self.text.strip()


class Unfit(Exception):
    """A word does not fit its parameter; the text says what was wrong."""


Converter = Callable[[Context, Remaining], Awaitable[tuple[Any, Remaining]]]


async def _ticket(context: Context, remaining: Remaining) -> tuple[Ticket, Remaining]:
    """In a ticket's thread "#12" names another ticket; elsewhere "12" or "#12" is needed."""
    word, after = remaining.word()
    number = number_in(word)
    if number is not None and (context.ticket_in_thread is None or word.startswith("#")):
        return await _existing(context, number), after
    if context.ticket_in_thread is not None:
        return await _existing(context, context.ticket_in_thread.id), remaining
    raise Unfit("Which ticket? Say it in the ticket's thread, or give its number.")


async def _existing(context: Context, number: int) -> Ticket:
    ticket = await context.unit.tickets.get(number, lock=True)
    if ticket is None:
        raise Refusal(f"There is no ticket {number}.")
    return ticket


async def _rest(_context: Context, remaining: Remaining) -> tuple[str, Remaining]:
    """Blanks around the text go, but not the indentation of a line that is the text's own."""
    blanks = remaining.text[: len(remaining.text) - len(remaining.text.lstrip())]
    own_line = blanks.rfind("\n") + 1
    return remaining.text[own_line:].rstrip() if own_line else remaining.rest(), Remaining("")


async def _words(_context: Context, remaining: Remaining) -> tuple[tuple[str, ...], Remaining]:
    found = []
    word, remaining = remaining.word()
    while word:
        found.append(word)
        word, remaining = remaining.word()
    return tuple(found), Remaining("")


async def _text(_context: Context, remaining: Remaining) -> tuple[str, Remaining]:
    return remaining.word()


async def _user_id(_context: Context, remaining: Remaining) -> tuple[str, Remaining]:
    word, after = remaining.word()
    return user_id(word), after


async def _number(_context: Context, remaining: Remaining) -> tuple[int, Remaining]:
    word, after = remaining.word()
    number = number_in(word)
    if number is None:
        raise Unfit(f"“{word}” is not a number.")
    return number, after


async def _language(_context: Context, remaining: Remaining) -> tuple[str, Remaining]:
    word, after = remaining.word()
    if not _LANGUAGE.fullmatch(word.casefold()):
        raise Unfit(f"“{word}” is not a language code such as “fr” or “pt-br”.")
    return word.casefold(), after


def number_in(word: str) -> int | None:
    """Return the number that "#12" or "12" means; None when the word is no number."""
    found = _NUMBER.fullmatch(word)
    return int(found[1]) if found else None


def user_id(word: str) -> str:
    """Return a Matrix user id; raises Unfit when the word is none."""
    if not _USER_ID.fullmatch(word) or len(word) > _LONGEST_USER_ID:
        raise Unfit(f"“{word}” is not a Matrix user id such as “@ana:example.org”.")
    return word


def duration(word: str) -> dt.timedelta | None:
    """Return the time that "30m", "12h" or "2d" means; None when the word is no duration."""
    found = _DURATION.fullmatch(word.casefold())
    return int(found[1]) * _UNITS[found[2]] if found else None


CONVERTERS: Mapping[Any, Converter] = {
    Ticket: _ticket,
    Rest: _rest,
    Words: _words,
    str: _text,
    UserId: _user_id,
    IssueNumber: _number,
    RowNumber: _number,
    LanguageCode: _language,
}
