# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a search has found, a page at a time: one message, which is edited when somebody turns the page."""

import json
from dataclasses import asdict, dataclass

from desk.context import Work
from desk.outbox.kinds import MINUTE, Kind
from desk.outbox.posts import ago, lane_of, put, react
from desk.outbox.ranks import Rank
from desk.rooms.names import link_to
from desk.world import Refusal
from storage.models import Outbox, Room
from storage.sealing.columns import to_json
from storage.search.index import MOST_COUNTED, Hit, Page
from storage.search.kept import KeptSearch
from storage.search.tree import Search

PAGE_SIZE = 8
BACK_KEY, NEXT_KEY = "◀", "▶"
_TOO_OLD = "I do not remember this search any more: say it again."


@dataclass(frozen=True)
class Line:
    """A hit, as it is shown; the snippet is empty where its words must not be read."""

    number: int
    link: str
    facts: str
    snippet: str


@dataclass(frozen=True)
class Shown:
    """A page, as it is shown; `thread` and `reply_to` say where."""

    title: str
    lines: tuple[Line, ...]
    foot: str
    thread: str | None = None
    reply_to: str | None = None
    event: str = ""
    """The message that is edited; empty for a new one."""
    pressed: str = ""
    """The reaction that turned the page: it is taken away, so that it can be pressed again."""


@dataclass(frozen=True)
class Place:
    """Where a search was said."""

    room: Room
    thread: str | None
    reply_to: str | None


async def show(work: Work, search: Search, where: Place) -> None:
    """Show the first page where the search was said."""
    found = await work.unit.search.find(search, size=PAGE_SIZE)
    pages = max(1, -(-found.total // PAGE_SIZE))
    shown = await _shown(work, where.room, found, 0, pages)
    payload = {**asdict(shown), "thread": where.thread, "reply_to": where.reply_to}
    row = await put(work, PAGE, lane_of(where.room, Rank.ANSWER), to_json(payload), room=where.room.id)
    await work.unit.flush()
    work.unit.search.kept.keep(row.id, KeptSearch(search, 0, pages))


async def turn(work: Work, row: Outbox, key: str, pressed: str) -> None:
    """Show another page in the place of the one that stands there. Raises Refusal."""
    kept, room = work.unit.search.kept.get(row.id), await work.unit.rooms.get(row.room or 0)
    if kept is None or room is None:
        raise Refusal(_TOO_OLD)
    kept.page = min(max(0, kept.page + (1 if key == NEXT_KEY else -1)), kept.pages - 1)
    found = await work.unit.search.find(kept.search, page=kept.page, size=PAGE_SIZE)
    shown = await _shown(work, room, found, kept.page, kept.pages)
    payload = {**asdict(shown), "event": row.event_id, "pressed": pressed}
    await put(work, PAGE_EDIT, lane_of(room, Rank.ANSWER), to_json(payload), room=room.id)


def page_of(payload: str) -> Shown:
    """Return the page that an outbox row is to show."""
    fields = json.loads(payload)
    return Shown(**{**fields, "lines": tuple(Line(**line) for line in fields["lines"])})


async def _shown(work: Work, room: Room, found: Page, page: int, pages: int) -> Shown:
    share = work.unit.search.searched_share
    foot = "" if share >= 1 else f"{share:.0%} of the tickets are searched so far."
    if not found.total:
        return Shown("Nothing was found.", (), foot)
    number = f"More than {MOST_COUNTED}" if found.total > MOST_COUNTED else f"{found.total}"
    count = "One ticket" if found.total == 1 else f"{number} tickets"
    title = count if pages == 1 else f"{count}, page {page + 1} of {pages}"
    return Shown(title, tuple([await _line(work, room, hit) for hit in found.hits]), foot)


async def _line(work: Work, room: Room, hit: Hit) -> Line:
    """Show no words and no facts of a ticket outside its own room."""
    ticket = await work.unit.tickets.get(hit.ticket)
    home = await work.unit.rooms.of_queue(hit.queue)
    event = ticket.event_id if ticket is not None else None
    link = link_to(home, event) if home is not None and event is not None else ""
    if hit.queue != room.queue:
        return Line(hit.ticket, link, f"in the room of “{hit.queue}”", "")
    issues = ", ".join(f"#{issue}" for issue in hit.issues)
    known = (hit.language, hit.version, hit.state, ago(hit.opened_at, work.world.now()), issues)
    return Line(hit.ticket, link, " · ".join(filter(None, known)), hit.snippet)


async def _offer_to_turn(work: Work, row: Outbox) -> None:
    kept, room = work.unit.search.kept.get(row.id), await work.unit.rooms.get(row.room or 0)
    if kept is None or room is None or kept.pages == 1 or row.event_id is None:
        return
    for key in (BACK_KEY, NEXT_KEY):
        await react(work, room, row.event_id, key, rank=Rank.EDIT)


PAGE = Kind("search.page", lifetime=15 * MINUTE, sent=_offer_to_turn)
PAGE_EDIT = Kind("search.edit", lifetime=15 * MINUTE)
