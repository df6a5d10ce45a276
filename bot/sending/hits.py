# SPDX-License-Identifier: AGPL-3.0-or-later
"""A page of what a search has found, as plain text and as HTML."""

import html
import re

from bot.sending.rendering import Rendered, one_line
from desk.search.pages import Line, Shown
from storage.search.snippets import MARK, UNMARK

_LONGEST_SNIPPET = 240
_MARKED = re.compile(f"{MARK}([^{MARK}{UNMARK}]*){UNMARK}")


def render(page: Shown) -> Rendered:
    """Return a page; strangers' words are shown as mere characters, and what was found in them is marked."""
    plain, formatted = [page.title], [f"<strong>{html.escape(page.title)}</strong>"]
    for line in page.lines:
        plain += _plain(line)
        formatted.append(_formatted(line))
    if page.foot:
        plain.append(page.foot)
        formatted.append(f"<em>{html.escape(page.foot)}</em>")
    return Rendered("\n".join(plain), "<br>".join(formatted))


def _plain(line: Line) -> list[str]:
    lines = [f"#{line.number} {one_line(line.facts)}"]
    words = _words(line)
    return (
        [*lines, f"  {''.join(f'*{part}*' if is_marked else part for part, is_marked in words)}"]
        if words
        else lines
    )


def _formatted(line: Line) -> str:
    number = f"#{line.number}"
    if line.link:
        number = f'<a href="{html.escape(line.link)}">{number}</a>'
    shown = f"{number} {html.escape(one_line(line.facts))}"
    words = "".join(
        f"<strong>{html.escape(part)}</strong>" if is_marked else html.escape(part)
        for part, is_marked in _words(line)
    )
    return f"{shown}<br>{words}" if words else shown


def _words(line: Line) -> list[tuple[str, bool]]:
    """Return the parts of a snippet, each with whether it is what was found."""
    parts = _MARKED.split(" ".join(line.snippet.split())[:_LONGEST_SNIPPET])
    cleaned = [(_part(part), number % 2 == 1) for number, part in enumerate(parts)]
    return [(part, is_marked) for part, is_marked in cleaned if part]


def _part(text: str) -> str:
    """Return a part cleaned, with the blanks at its ends."""
    words = one_line(text, _LONGEST_SNIPPET)
    before = " " if text[:1].isspace() and words else ""
    after = " " if text[-1:].isspace() and words else ""
    return f"{before}{words}{after}" or (" " if text.isspace() else "")
