# SPDX-License-Identifier: AGPL-3.0-or-later
"""The text of a WhisperBack report, whatever it went through: what was told, and the debugging sections."""

import re

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
    a date or a blank and cannot forge one; where none has that name, at the first of all.
    """
    marks = list(_SECTION.finditer(text))
    names = [mark[2] for mark in marks]
    for name in _FIRST_SECTIONS:
        if name in names:
            marks = marks[len(names) - 1 - names[::-1].index(name) :]
            break
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
    pasted = text[found.start() :]
    depth = found["quote"].count(">") + found["quote"].count("|")
    if depth:
        pasted = re.sub(rf"^(?:[>|] ?){{1,{min(depth, 50)}}}", "", pasted, flags=re.MULTILINE)
    return text[: found.start()], _WRAPPED_SECTION.sub(_on_one_line, pasted)


def _on_one_line(heading: re.Match[str]) -> str:
    return heading[0].replace("\n", " ")
