# SPDX-License-Identifier: AGPL-3.0-or-later
"""Words for rooms, as plain text and as HTML; whatever strangers wrote is shown as mere characters."""

import datetime as dt
import html
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from desk.outbox.posts import ago
from desk.tickets.announcement import Announcement
from storage.models import TicketState

HEAD_LINES = 20
HEAD_CHARS = 2_000
TOPIC_CHARS = 120
LONGEST_ID = 255

# Joiners stay: Persian, Hindi and emoji need them. Everything else of these reorders, hides or deceives.
JOINERS = "\u200c\u200d"
KEPT_CONTROLS = "\n\t"
LINE_BREAKS = re.compile("\r\n?|[\u0085\u2028\u2029\v\f]")
SIGNS = {
    TicketState.NEW: "🔵",
    TicketState.CLAIMED: "🟡",
    TicketState.ANSWERED: "🟢",
    TicketState.WAITING: "🟠",
    TicketState.CLOSED: "⚫",
}
MOVED = "↪"
_BEGINS_BLANK = re.compile("^ {1,16}", re.MULTILINE)
_ADDRESS = re.compile(r"[^\s<>@,;:\"'()/]{1,64}@(?:[^\s<>@,;:\"'()/.]{1,63}\.){1,8}[^\s<>@,;:\"'()/.]{2,63}")
STATES = {
    TicketState.NEW: "new",
    TicketState.CLAIMED: "claimed",
    TicketState.ANSWERED: "answered",
    TicketState.WAITING: "waits for an answer",
    TicketState.CLOSED: "closed",
}


@dataclass(frozen=True)
class Rendered:
    """The same words twice: a body that stands alone, and HTML, which may be missing."""

    body: str
    formatted_body: str = ""


@dataclass(frozen=True)
class Shortened:
    """A text cut to what a room bears; `is_whole` when nothing was cut."""

    text: str
    is_whole: bool


def clean(text: str) -> str:
    """The text without controls, direction overrides, invisible characters and lone surrogates."""
    unified = LINE_BREAKS.sub("\n", text)
    return "".join(char for char in unified if _is_shown(char))


def one_line(text: str, limit: int = TOPIC_CHARS) -> str:
    """The text cleaned, on one line, cut to `limit` characters."""
    line = " ".join(clean(text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def plain(text: str) -> Rendered:
    """Our own words, line breaks kept."""
    words = clean(text)
    return Rendered(words, _escaped(words)) if _ADDRESS.search(words) else Rendered(words)


def quoting(text: str, quote: str) -> Rendered:
    """Our own words above somebody else's, which are marked as quoted in both forms."""
    words, theirs = clean(text), clean(quote).strip("\n")
    marked = "\n".join(f"> {line}" for line in theirs.split("\n"))
    # Not <pre>, whose lines do not wrap: on a phone they would be cut off.
    shown = f"<blockquote>{_set_in(theirs)}</blockquote>"
    if not words:
        return Rendered(marked, shown)
    return Rendered(f"{words}\n\n{marked}", f"{_escaped(words)}{shown}")


def calling(persons: Sequence[str], said: Rendered) -> Rendered:
    """Words for these persons alone: they are named first, so that nobody else takes them for theirs."""
    names = [one_line(person, LONGEST_ID) for person in persons]
    pills = ", ".join(
        f'<a href="https://matrix.to/#/{html.escape(quote(name, safe="@:"))}">{html.escape(name)}</a>'
        for name in names
    )
    return Rendered(
        f"{', '.join(names)}: {said.body}", f"{pills}: {said.formatted_body or _escaped(said.body)}"
    )


def log(words: str, text: str) -> Rendered:
    """Our own words above a text whose lines must stay as they are, as those of a log."""
    shown = clean(text).strip("\n")
    return Rendered(
        f"{clean(words)}\n\n{shown}", f"{_escaped(clean(words))}<pre><code>{html.escape(shown)}</code></pre>"
    )


def spoiler(label: str, hidden: str) -> Rendered:
    """Words to be uncovered by a click; the plain body must not hold them, so it says where they are."""
    shown = one_line(label)
    covered = f'<span data-mx-spoiler="">{html.escape(one_line(hidden))}</span>'
    return Rendered(
        f"{shown}: (covered; open it in a client that shows formatted text)", f"{shown}: {covered}"
    )


def shorten(text: str, *, lines: int = HEAD_LINES, chars: int = HEAD_CHARS) -> Shortened:
    """The head of a long text, with a word on what is missing; the whole goes into a file."""
    whole = clean(text).strip("\n")
    every = whole.split("\n")
    head = "\n".join(every[:lines])[:chars].rstrip()
    if head == whole.rstrip():
        return Shortened(whole, is_whole=True)
    missing = len(whole) - len(head)
    unit = "character" if missing == 1 else "characters"
    return Shortened(f"{head}\n… {missing} {unit} more; full text in the file.", is_whole=False)


def announcement(of: Announcement, now: dt.datetime) -> Rendered:
    """The announcement of a ticket, as it stands at `now`."""
    topic = one_line(of.topic)
    title = f"#{of.number}" + (f" {topic}" if topic else "")
    facts = [of.language or "language unknown", of.encryption]
    if of.tails_version:
        facts.insert(1, f"Tails {one_line(of.tails_version, 40)}")
    facts.append(_age(of.opened_at, now))
    detail = " · ".join(facts)
    state = _state(of)
    return Rendered(
        f"{SIGNS[of.state]} {title}\n{state}\n{detail}",
        f"{SIGNS[of.state]} <strong>{html.escape(title)}</strong><br>"
        f"{html.escape(state)}<br><em>{html.escape(detail)}</em>",
    )


def _age(opened_at: dt.datetime, now: dt.datetime) -> str:
    """What stays true, since the announcement is edited only when something changes."""
    opened = f"opened {opened_at:%Y-%m-%d %H:%M} UTC"
    if now - opened_at < dt.timedelta(minutes=1):
        return opened
    return f"{opened}; {ago(opened_at, now)} old at the last change, {now:%Y-%m-%d %H:%M} UTC"


def moved(number: int, queue: str, link: str = "") -> Rendered:
    """What becomes of the announcement of a ticket that was announced anew, in another room or again here."""
    title, place = f"#{number}", f"the room of “{one_line(queue)}”"
    shown = f'<a href="{html.escape(link)}">{html.escape(place)}</a>' if link else html.escape(place)
    return Rendered(
        f"{MOVED} {title}\ngoes on in {place}" + (f": {link}" if link else ""),
        f"{MOVED} <strong>{title}</strong><br>goes on in {shown}",
    )


def _state(of: Announcement) -> str:
    words = STATES[of.state]
    by = {TicketState.CLAIMED: of.agent, TicketState.CLOSED: of.closed_by}.get(of.state, "")
    who = f" by {one_line(by)}" if by else ""
    whose = f", with {one_line(of.agent)}" if of.agent and of.agent != by else ""
    return f"{words}{who}{whose}" + (" · ✓ answer sent" if of.sent else "")


def _is_shown(char: str) -> bool:
    if char in KEPT_CONTROLS or char in JOINERS:
        return True
    # Cc, Cf: controls, bidi, zero width, tags. Cs: lone surrogates, which JSON may not carry. Zl, Zp: breaks.
    return unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp")


def _set_in(words: str) -> str:
    """Words as HTML whose lines stay set in: that is what tells a stranger's line from a heading of ours."""
    return _escaped(_BEGINS_BLANK.sub(lambda blanks: "\u00a0" * len(blanks[0]), words))


def _escaped(words: str) -> str:
    """Words as HTML that wraps. Addresses are set as code: clients make links of others, to write to them."""
    pieces, at = [], 0
    for found in _ADDRESS.finditer(words):
        pieces += [html.escape(words[at : found.start()]), f"<code>{html.escape(found[0])}</code>"]
        at = found.end()
    return "".join([*pieces, html.escape(words[at:])]).replace("\n", "<br>")
