# SPDX-License-Identifier: AGPL-3.0-or-later
"""The user's last message above an answer to it, for `!reply --quote`: only what they wrote themselves."""

import textwrap

from desk.context import Work
from desk.letters.quoted_text import PieceKind, split
from desk.replies.disclosure import refuse_quoting
from desk.replies.templates import house_words
from desk.tickets.reading import without_keys
from desk.world import Refusal
from storage.models import MessageKind, Ticket

QUOTE_TEMPLATE = "quote"
"""The template of the line above a quote, which agents write; of the letter it can say the `{date}`."""
MOST_LINES = 60
MOST_CHARS = 4_000
_WIDTH = 76


async def of_newest(work: Work, ticket: Ticket) -> str:
    """Return the user's last message, quoted, and an empty line below it.

    Raises Refusal where there is nothing to quote, and as `bait.refuse_quoting`.
    """
    incoming = [each for each in await work.unit.messages.of(ticket) if each.kind is MessageKind.IN]
    if not incoming:
        raise Refusal("There is nothing to quote in this ticket (any more).")
    newest = incoming[-1]
    refuse_quoting(newest)
    own = "".join(piece.text for piece in split(newest.text or "") if piece.kind is PieceKind.OWN)
    words = without_keys(own).strip("\n")
    if not words.strip():
        raise Refusal("Not quoted: the user's last message holds no words of their own.")
    above = await house_words(work, ticket, QUOTE_TEMPLATE, date=f"{newest.at:%Y-%m-%d}")
    return "\n".join([*([above.strip()] if above else []), *_marked(words), "", ""])


def _marked(words: str) -> list[str]:
    """Quote lines, wrapping the long ones (RFC 5322, 2.1.1), and no more of them than anybody reads."""
    head = words[:MOST_CHARS]
    lines = [wrapped for line in head.split("\n") for wrapped in _wrapped(line.rstrip())]
    cut = len(lines) > MOST_LINES or len(head) < len(words)
    marked = [f"> {line}" if line else ">" for line in lines[:MOST_LINES]]
    return [*marked, "> […]"] if cut else marked


def _wrapped(line: str) -> list[str]:
    if len(line) <= _WIDTH - 2:
        return [line]
    return textwrap.wrap(line, _WIDTH - 2, break_long_words=False, break_on_hyphens=False) or [""]
