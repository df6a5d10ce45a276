# SPDX-License-Identifier: AGPL-3.0-or-later
"""From words to values: one converter per type, and each is the gate for its kind of object."""

import datetime as dt
import re
import urllib.parse
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, NewType

from commands.context import Context
from desk.languages import is_language
from desk.quarantine.letters import seen_from
from desk.world import Refusal
from storage.models import Letter, Ticket
from storage.queries.tickets import REPORT_DIGITS

Rest = NewType("Rest", str)
"""The rest of the message as it was typed, line breaks included."""
Words = NewType("Words", tuple[str, ...])
"""All words that are left."""
UserId = NewType("UserId", str)
"""A Matrix user id."""
Agent = NewType("Agent", str)
"""The Matrix user id of an agent, by whatever name the message calls them."""
IssueNumber = NewType("IssueNumber", int)
"""The number of an issue: "#12", "12" or its address in the tracker."""
LanguageCode = NewType("LanguageCode", str)
Reports = NewType("Reports", tuple[Ticket, ...])
"""The tickets that hold the report of this WhisperBack id, or of one that begins so."""

QuarantinedLetter = NewType("QuarantinedLetter", Letter)
"""A letter in quarantine that the room may see."""

# Client-server API, appendix "User Identifiers"; historical ids may hold more, ours need not.
_USER_ID = re.compile(r"@[a-z0-9._=/+-]+:[A-Za-z0-9.:\[\]-]+")
_LONGEST_USER_ID = 255
_LANGUAGE = re.compile(r"(?=.{2,16}$)[a-z]{2,3}(-[a-z0-9]{2,8})*")
# Keyboards for Persian, Arabic or Japanese have digits of their own, which `\d` and `int` know.
_REPORT_ID = re.compile(rf"[0-9a-f]{{{REPORT_DIGITS},32}}")
_NUMBER = re.compile(r"[#＃]?(\d{1,9})")
_ADDRESS = re.compile(r"https?://", re.IGNORECASE)
_ISSUE_PAGE = re.compile(r"/issues/([1-9][0-9]{0,8})(?:/|/edit|\.json)?")
_DURATION = re.compile(r"([0-9]{1,4})(m|h|d)")
_LINK_TO_USER = "https://matrix.to/#/"
# Zero-width and direction marks: they come along with what is copied, and nobody sees them.
INVISIBLE = "\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff"
BLANKS = rf"[\s{INVISIBLE}]*"
_BLANKS = re.compile(BLANKS)
_WORD = re.compile(r"\S*")
_TRAILING = re.compile(rf"[{INVISIBLE}]+$")
_SHOWN = 60
_UNITS = {"m": dt.timedelta(minutes=1), "h": dt.timedelta(hours=1), "d": dt.timedelta(days=1)}


@dataclass(frozen=True)
class Remaining:
    """What of the message has not been taken yet."""

    text: str

    def word(self) -> tuple[str, "Remaining"]:
        """Return the next word and what follows it; an empty word at the end."""
        begin = _end_of(_BLANKS, self.text, 0)
        end = _end_of(_WORD, self.text, begin)
        return _TRAILING.sub("", self.text[begin:end]), Remaining(self.text[end:])

    def rest(self) -> str:
        """Return all that is left, without the blanks around it."""
        return self.text.strip()


def _end_of(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


class Unfit(Exception):
    """A word does not fit its parameter; the text says what was wrong."""


Converter = Callable[[Context, Remaining], Awaitable[tuple[Any, Remaining]]]


async def _ticket(context: Context, remaining: Remaining) -> tuple[Ticket, Remaining]:
    """In a ticket's thread "#12" names another ticket; elsewhere "12" or "#12" is needed."""
    word, after = remaining.word()
    number = number_in(word)
    if number is not None and (context.ticket_in_thread is None or names_ticket(word)):
        return await _existing(context, number), after
    here = context.ticket_here()
    if here is not None:
        return await _existing(context, here.id), remaining
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
    if not number:
        raise Unfit(f"“{brief(word)}” is not a number from 1 to 999999999.")
    return number, after


async def _issue(context: Context, remaining: Remaining) -> tuple[int, Remaining]:
    word, after = remaining.word()
    address = word.strip("<>")
    if not _ADDRESS.match(address):
        return await _number(context, remaining)
    tracker = context.work.config.tracker_url
    if not tracker:
        raise Refusal("The config names no tracker, so give the number of the issue, such as #9080.")
    number = issue_at(address, tracker)
    if number is None:
        raise Unfit(f"“{brief(word)}” is not the address of an issue at {tracker}.")
    return number, after


def issue_at(address: str, tracker: str) -> int | None:
    """Return the number of the issue whose page this is; None for pages elsewhere and of other kinds."""
    try:
        page, base = urllib.parse.urlsplit(address), urllib.parse.urlsplit(tracker)
    except ValueError:
        return None
    if page.netloc.casefold() != base.netloc.casefold() or not page.path.startswith(f"{base.path}/"):
        return None
    found = _ISSUE_PAGE.fullmatch(page.path.removeprefix(base.path))
    return int(found[1]) if found else None


async def _language(_context: Context, remaining: Remaining) -> tuple[str, Remaining]:
    word, after = remaining.word()
    if not _LANGUAGE.fullmatch(word.casefold()) or not is_language(word.casefold()):
        raise Unfit(f"“{brief(word)}” is not a language code such as “fr” or “pt-br”.")
    return word.casefold(), after


async def _agent(context: Context, remaining: Remaining) -> tuple[str, Remaining]:
    """Take an id, a link to it, its first half, or a pill, whose text is a name of several words."""
    word, after = remaining.word()
    if len(context.event.pills) == 1:
        return context.event.pills[0], Remaining("")
    named = _without_link(word).rstrip(",:").casefold()
    if _USER_ID.fullmatch(named) and len(named) <= _LONGEST_USER_ID:
        return named, after
    short = named.removeprefix("@")
    same = [agent for agent in context.work.config.agents if agent[1:].partition(":")[0] == short]
    if len(same) != 1:
        raise Refusal(f"{brief(remaining.rest())} is not an agent of this desk.")
    return same[0], after


async def _reports(context: Context, remaining: Remaining) -> tuple[tuple[Ticket, ...], Remaining]:
    """Take "wb:40cd8f2e…", as ids are cited, or the digits alone; whoever sees a ticket sees it here."""
    word, after = remaining.word()
    begin = word.casefold().removeprefix("wb:")
    if not _REPORT_ID.fullmatch(begin):
        raise Unfit(
            f"“{brief(word)}” is no WhisperBack id: give all of it or its first digits, "
            f"at least {REPORT_DIGITS} of 0-9 and a-f."
        )
    return tuple(await context.unit.tickets.by_whisperback_id(begin)), after


async def _letter(context: Context, remaining: Remaining) -> tuple[Letter, Remaining]:
    number, after = await _number(context, remaining)
    return await seen_from(context.unit, context.room, number), after


def names_ticket(word: str) -> bool:
    """Tell whether the word can only be a ticket's number: "#12"."""
    return word.startswith(("#", "＃")) and number_in(word) is not None


def brief(words: str) -> str:
    """Return so much of what somebody typed as an answer can quote."""
    return words if len(words) <= _SHOWN else f"{words[: _SHOWN - 1]}…"


def number_in(word: str) -> int | None:
    """Return the number that "#12" or "12" means; None when the word is no number."""
    found = _NUMBER.fullmatch(word)
    return int(found[1]) if found else None


def user_id(word: str) -> str:
    """Return a Matrix user id; raises Unfit when the word is none."""
    found = _without_link(word)
    if not _USER_ID.fullmatch(found) or len(found) > _LONGEST_USER_ID:
        raise Unfit(f"“{brief(word)}” is not a Matrix user id such as “@ana:example.org”.")
    return found


def _without_link(word: str) -> str:
    """A link to a person holds their id (specification, "matrix.to navigation")."""
    if not word.startswith(_LINK_TO_USER):
        return word
    return urllib.parse.unquote(word.removeprefix(_LINK_TO_USER).partition("?")[0])


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
    Agent: _agent,
    IssueNumber: _issue,
    LanguageCode: _language,
    Reports: _reports,
    QuarantinedLetter: _letter,
}
