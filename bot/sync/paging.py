# SPDX-License-Identifier: AGPL-3.0-or-later
"""Pages back in a room: to where the last sync ended or, without a token, to where hearing ended."""

import datetime as dt
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

import structlog
from nio import AsyncClient

from bot.errors import Rejected
from bot.events.events import is_event, moment
from bot.http.wire import Json, path, request
from bot.sync import absorbing

log = structlog.get_logger()

PAGE = 100
PAGES = 20


@dataclass(frozen=True)
class Known:
    """Which of some events the desk has written down."""

    heard: frozenset[str]
    sent: frozenset[str]


@dataclass(frozen=True)
class Backfill:
    """Where to stop when the sync token is lost."""

    recall: Callable[[Sequence[str]], Awaitable[Known]]
    oldest: dt.datetime
    """What was said before is not looked for."""


@dataclass(frozen=True)
class Found:
    """Events in the order of the room, and whether there is nothing more that should have been among them."""

    events: list[Json]
    whole: bool


class Pager:
    """Fetches what a sync did not bring. Raises TryLater or SessionGone; every call may be repeated."""

    def __init__(self, client: AsyncClient, memory: Backfill) -> None:
        self._client = client
        self._memory = memory

    async def since_token(self, room_id: str, start: str, token: str) -> Found:
        """Return what happened between a token and `start`, where a limited sync begins."""
        found: list[Json] = []
        for _ in range(PAGES):
            page = await self._page(room_id, start, token)
            if page is None:
                return Found(found[::-1], whole=False)
            chunk = _events(page)
            found.extend(chunk)
            start = page.get("end", "")
            if not chunk or not start or any(self._is_own_join(source) for source in chunk):
                return Found(found[::-1], whole=True)
        log.warning("gap-too-long", room=room_id)
        return Found(found[::-1], whole=False)

    async def since_heard(self, room_id: str, recent: Sequence[Json], start: str) -> Found:
        """Return what happened after the last event that was heard; `recent` are the newest ones, in order.

        It ends also where we joined, and where we said something that this desk did not: a desk whose
        database is lost has acted on what stands before. Older than `Memory.oldest` it is not whole.
        """
        found: list[Json] = []
        chunk = list(recent)[::-1]
        for _ in range(PAGES):
            fresh, end = await self._until_known(chunk)
            found.extend(fresh)
            if end is not None:
                return Found(found[::-1], whole=end)
            page = await self._page(room_id, start) if start else {}
            if page is None:
                return Found(found[::-1], whole=False)
            chunk, start = _events(page), page.get("end", "")
            if not chunk:
                return Found(found[::-1], whole=True)
        log.warning("gap-too-long", room=room_id)
        return Found(found[::-1], whole=False)

    async def _until_known(self, newest_first: Sequence[Json]) -> tuple[list[Json], bool | None]:
        """The events before the first one that ends the search; whether it ended well, None if it goes on."""
        known = await self._memory.recall([source["event_id"] for source in newest_first])
        fresh: list[Json] = []
        for source in newest_first:
            if self._is_own_join(source) or self._is_settled(source, known):
                return fresh, True
            if moment(source) < self._memory.oldest:
                return fresh, False
            fresh.append(source)
        return fresh, None

    def _is_settled(self, source: Json, known: Known) -> bool:
        event_id = source["event_id"]
        is_said_by_us = source["sender"] == self._client.user_id and _is_said(source)
        return event_id in known.heard or (is_said_by_us and event_id not in known.sent)

    def _is_own_join(self, source: Json) -> bool:
        return absorbing.is_own_join(source, self._client.user_id)

    async def _page(self, room_id: str, start: str, end: str = "") -> Json | None:
        """One page backwards; None when the homeserver does not show it."""
        query = {"dir": "b", "from": start, "limit": str(PAGE), **({"to": end} if end else {})}
        try:
            return await request(self._client, "GET", path("rooms", room_id, "messages", query=query))
        except Rejected:
            return None


def _events(page: Json) -> list[Json]:
    chunk: Iterable[object] = page.get("chunk", [])
    return [source for source in chunk if isinstance(source, dict) and is_event(source)]


def _is_said(source: Json) -> bool:
    """Whether it is a message: state and redactions of ours have no outbox row with their id."""
    return source["type"] in ("m.room.encrypted", "m.room.message") and "state_key" not in source
