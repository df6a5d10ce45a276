# SPDX-License-Identifier: AGPL-3.0-or-later
"""The text of a WhisperBack report, whatever it went through: what was told, and the debugging sections."""

import re

from mail.whisperback.user_words import HEADINGS

_HEADINGS = "|".join(map(re.escape, sorted(HEADINGS)))
_ANSWER = re.compile(rf"^(?:{_HEADINGS})[ \t]*\n-{{10,}}[ \t]*$", re.MULTILINE)
_FORWARD = re.compile(r"(?:\[[^\]]{0,100}\] ?)*(?:fwd?|wg|tr|rv|enc|i|vs|vb|doorst) ?:", re.IGNORECASE)
"""What mail programs put before the subject of a mail that is passed on."""
_PASSED_ON = re.compile(
    r"^(?P<quote>(?:[>|] ?)*)Subject:[^\n]*\n(?:(?P=quote)(?:From|OpenPGP-Key): [^\n]*\n){0,2}"
    rf"(?:(?P=quote)Tails-Version: |(?:[>| \t]*\n){{1,3}}(?P=quote)(?:{_HEADINGS})[ \t]*\n(?P=quote)-{{10}})",
    re.MULTILINE,
)
_SECTION = re.compile(
    r"^(=======|=====) (?:content of|output of command|listing of) (\S[^\n]*?) \1[ \t]*$", re.MULTILINE
)
_WRAPPED_SECTION = re.compile(
    r"^(=======|=====)[ \n](content[ \n]of|output[ \n]of[ \n]command|listing[ \n]of)[ \n]"
    r"([^\n=]{1,200}(?:\n[^\n=]{1,200})?)[ \n]\1[ \t]*$",
    re.MULTILINE,
)
# Each release's first section; a person can paste whole false sections before the true ones.
_FIRST_SECTIONS = ("/proc/cmdline", "/usr/sbin/dmidecode -s system-manufacturer")
_RELAY_HEAD = re.compile(r"\A(?:[A-Z][A-Za-z-]{1,30}:[^\n]*\n(?:[ \t][^\n]*\n)*)+-{78}\n+")
_PASTED = re.compile(
    r"^(?P<quote>(?:[>|] ?)*)(?:Tails-Version:[ \t]+(?:NAME=|[0-9][0-9a-z.~-]* - [0-9]{8})"
    r"|=======[ \n]content[ \n]of[ \n]/|=====[ \n]output[ \n]of[ \n]command[ \n]/)",
    re.MULTILINE,
)

Sections = tuple[tuple[str, str], ...]
"""Key and content, in order."""


def without_relay_head(text: str) -> str:
    """Take off what a Schleuder list writes before a mail: pseudo-headers, and a line of 78 dashes."""
    return _RELAY_HEAD.sub("", text.lstrip("\ufeff\n"), count=1).lstrip("\ufeff\n")


def split_sections(text: str) -> tuple[str, Sections]:
    """Part what was told from the debugging sections.

    These begin at the LAST section of the name that comes first, as lines of the journal after it begin with
    a date or a blank and cannot forge one; where none has that name, at the first of all. What stands above a
    heading of the program was pasted by the person.
    """
    told_to = max((mark.end() for mark in _ANSWER.finditer(text)), default=0)
    marks = list(_SECTION.finditer(text, told_to))
    names = [mark[2] for mark in marks]
    first = next((name for name in _FIRST_SECTIONS if name in names), None)
    # The only one of its name, at the very end, is not the first one: something has turned the order.
    if first is not None and names.index(first) < max(1, len(names) - 1):
        marks = marks[len(names) - 1 - names[::-1].index(first) :]
    if not marks:
        return text, ()
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    sections = ((mark[2], text[mark.end() : end].strip("\n")) for mark, end in zip(marks, ends, strict=True))
    return text[: marks[0].start()], tuple(sections)


def split_pasted(text: str) -> tuple[str, str] | None:
    """Part a person's words from the version and debugging information pasted below them; None without any.

    Marks of quotation are taken off what was pasted, and headings of sections that were wrapped are joined.
    """
    # Looking at each line of a long letter takes milliseconds; looking for these words does not.
    if "Tails-Version:" not in text and "=====" not in text:
        return None
    found = _PASTED.search(text)
    if found is None:
        return None
    pasted = _unquoted(text[found.start() :], found["quote"])
    return text[: found.start()], _WRAPPED_SECTION.sub(_on_one_line, pasted)


def split_passed_on(text: str, subject: str) -> tuple[str, str] | None:
    """Part what a person who passes a report on writes above from the report; None when there is none."""
    found = _PASSED_ON.search(text) if _FORWARD.match(subject) else None
    return (text[: found.start()], _unquoted(text[found.start() :], found["quote"])) if found else None


def _unquoted(text: str, quote: str) -> str:
    """Take off the marks of quotation that stand before each line."""
    depth = min(quote.count(">") + quote.count("|"), 50)
    return re.sub(rf"^(?:[>|] ?){{1,{depth}}}", "", text, flags=re.MULTILINE) if depth else text


def _on_one_line(heading: re.Match[str]) -> str:
    return heading[0].replace("\n", " ")
