# SPDX-License-Identifier: AGPL-3.0-or-later
"""The sync loop: fetch, open, have it kept together with its token, then look after the keys."""

import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import structlog
from nio import AsyncClient

from bot.errors import MatrixError, Rejected, TryLater
from bot.events.decrypt import Clear, Closed, open_event
from bot.events.events import (
    Batch,
    Membership,
    Undecryptable,
    edited,
    is_event,
    is_heeded,
    moment,
    read_event,
    thread_root,
)
from bot.http.pause import Pause
from bot.http.wire import Json, path, request
from bot.identity import device_keys
from bot.identity.keystore import as_on_disk
from bot.identity.trust import Trust
from bot.sync import absorbing
from bot.sync.paging import Backfill, Found, Pager
from commands.event import RoomEvent

log = structlog.get_logger()

Keep = Callable[[Batch], Awaitable[None]]
T = TypeVar("T")

QUIET: Json = {"not_types": ["*"]}
TIMELINE = 50
FULL_STATE_PATIENCE = 300.0
WAITING = 1000
UNKNOWN_TOKEN = ("M_UNKNOWN", "M_INVALID_PARAM", "M_UNKNOWN_POS")


@dataclass(frozen=True)
class SyncPosition:
    """Where to go on: the token of the last kept batch, and events whose keys may still come."""

    memory: Backfill
    """For when there is no token, or none that counts any more."""
    token: str | None = None
    waiting: tuple[Undecryptable, ...] = ()


class Syncer:
    """Brings everything that happens in the bot's rooms to `keep`, at least once and in order."""

    def __init__(
        self,
        client: AsyncClient,
        trust: Trust,
        keep: Keep,
        *,
        since: SyncPosition,
        pause: Pause,
        long_poll: float = 30.0,
    ) -> None:
        """`keep` commits events and token in one transaction; raising, it gets the same batch again."""
        self._client = client
        self._trust = trust
        self._keep = keep
        self._pager = Pager(client, since.memory)
        self._pause = pause
        self._long_poll = long_poll
        self._waiting = {found.event_id: found for found in since.waiting}
        self._new = True
        self._last_good = time.monotonic()
        self.token = since.token

    @property
    def silence(self) -> float:
        """Seconds since a sync was last complete, for a watchdog."""
        return time.monotonic() - self._last_good

    @property
    def has_caught_up(self) -> bool:
        """Whether all that was said before this process began has been heard."""
        return not self._new

    async def run(self) -> None:
        """Sync until cancelled; raises SessionGone when the homeserver has signed the bot out."""
        while True:
            try:
                await self.step()
            except TryLater as error:
                log.warning("sync-postponed", reason=str(error), failures=self._pause.failures)
                await self._pause.wait(error.after)
            else:
                self._pause.succeeded()

    async def step(self) -> None:
        """One sync with all its consequences; raises TryLater or SessionGone."""
        with as_on_disk(self._client):
            await self._step()

    async def _step(self) -> None:
        try:
            sync = await self._fetch()
        except Rejected as error:
            self._doubt_token(error)
            raise TryLater(str(error)) from error
        brought = await absorbing.absorb(self._client, sync)
        batch = await self._digest(sync, brought)
        await self._insist(partial(self._keep, batch))
        self.token = batch.token
        self._remember(batch)
        await self._look_after_keys(sync)
        self._new = False
        self._last_good = time.monotonic()

    def _doubt_token(self, error: Rejected) -> None:
        """A homeserver that was restored from a backup, or lost its database, knows our token no more."""
        if self.token is not None and error.code in UNKNOWN_TOKEN:
            log.warning("sync-token-refused", code=error.code)
            self.token, self._new = None, True

    async def _fetch(self) -> Json:
        wanted = {
            "presence": QUIET,
            "account_data": QUIET,
            "room": {"ephemeral": QUIET, "account_data": QUIET, "timeline": {"limit": TIMELINE}},
        }
        query = {"filter": json.dumps(wanted, separators=(",", ":")), "set_presence": "offline"}
        if self.token:
            query["since"] = self.token
        if self._new:
            # nio keeps no room state on disk: the first sync of a process has to bring it.
            query["full_state"] = "true"
        else:
            query["timeout"] = str(int(self._long_poll * 1000))
        patience = FULL_STATE_PATIENCE if self._new else self._long_poll + 30
        sync = await request(self._client, "GET", path("sync", query=query), patience=patience)
        if not isinstance(sync.get("next_batch"), str):
            raise TryLater("The homeserver's answer is no sync.")
        return sync

    async def _digest(self, sync: Json, brought: absorbing.ArrivedKeys) -> Batch:
        events: list[tuple[str, Json]] = []
        gaps: list[str] = []
        for room_id, room in absorbing.touched_rooms(sync):
            found = await self._timeline(room_id, room.get("timeline", {}))
            events.extend((room_id, source) for source in found.events)
            if not found.whole:
                gaps.append(room_id)
        heard, closed, replayed = await self._open(events)
        recovered = self.token is None
        if recovered:
            # A key that is not here now will hardly come, and each of them would be asked for again.
            gaps.extend(event.room_id for event in closed)
            closed = ()
        # A process killed after it had stored a key, and before what that opens was kept, got it for nothing.
        sessions = absorbing.known_sessions(self._client) if self._new else brought.sessions
        return Batch(
            sync["next_batch"],
            heard=(*await self._late(sessions), *heard),
            undecryptable=closed,
            memberships=(
                *absorbing.invitations(sync, self._client.user_id),
                *(change for room_id, source in events if (change := _membership(room_id, source))),
            ),
            withheld=brought.withheld,
            tombstones=absorbing.tombstones(sync),
            gaps=tuple(dict.fromkeys(gaps)),
            replayed=replayed,
            recovered=recovered,
        )

    async def _timeline(self, room_id: str, timeline: Json) -> Found:
        """Events since the last token in order, and whether that is all of them."""
        recent = [source for source in timeline.get("events", []) if is_event(source)]
        start = str(timeline.get("prev_batch") or "")
        if self.token is None:
            return await self._insist(partial(self._pager.since_heard, room_id, recent, start))
        missed = Found([], whole=True)
        if timeline.get("limited") and start and not self._after_join(recent)[1]:
            missed = await self._insist(partial(self._pager.since_token, room_id, start, self.token))
        return Found(self._after_join([*missed.events, *recent])[0], missed.whole)

    def _after_join(self, events: list[Json]) -> tuple[list[Json], bool]:
        """Events from our own last join on, and whether there was one."""
        for at in range(len(events) - 1, -1, -1):
            if absorbing.is_own_join(events[at], self._client.user_id):
                return events[at:], True
        return events, False

    async def _open(
        self, events: list[tuple[str, Json]]
    ) -> tuple[list[RoomEvent], tuple[Undecryptable, ...], tuple[str, ...]]:
        opened = [open_event(self._client, room_id, source) for room_id, source in events]
        if self._client.should_query_keys:
            # Somebody's devices changed: look before judging whether a command came from a signed one.
            await self._insist(self._trust.refresh)
            opened = [open_event(self._client, room_id, source) for room_id, source in events]
        heard: list[RoomEvent] = []
        closed: list[Undecryptable] = []
        replayed: list[str] = []
        for (room_id, source), found in zip(events, opened, strict=True):
            if isinstance(found, Clear):
                heard.extend(self._hear(room_id, found))
            elif found.replayed:
                replayed.append(source["event_id"])
            elif source["sender"] != self._client.user_id:
                closed.append(_undecryptable(room_id, source, found))
        return heard, tuple(closed), tuple(replayed)

    def _hear(self, room_id: str, found: Clear, *, late: bool = False) -> tuple[RoomEvent, ...]:
        if not is_heeded(found.source, self._client.user_id):
            return ()
        heard = read_event(
            found.source, room_id, decrypted=found.decrypted, verified=found.verified, late=late
        )
        return (replace(heard, place=found.place),) if heard else ()

    async def _late(self, sessions: frozenset[tuple[str, str]]) -> list[RoomEvent]:
        """What these keys open of what waits for its key."""
        heard: list[RoomEvent] = []
        for missed in [one for one in self._waiting.values() if (one.room_id, one.session_id) in sessions]:
            where = path("rooms", missed.room_id, "event", missed.event_id)
            try:
                source = await self._insist(partial(request, self._client, "GET", where))
            except Rejected:
                continue
            if not is_event(source):
                continue
            found = open_event(self._client, missed.room_id, source)
            if isinstance(found, Clear) and found.decrypted:
                heard.extend(self._hear(missed.room_id, found, late=True))
        return heard

    def _remember(self, batch: Batch) -> None:
        for event in batch.heard:
            self._waiting.pop(event.event_id, None)
        self._waiting.update({found.event_id: found for found in batch.undecryptable if found.key_missing})
        for oldest in list(self._waiting)[:-WAITING]:
            del self._waiting[oldest]

    async def _look_after_keys(self, sync: Json) -> None:
        device_keys.note_key_count(self._client, sync)
        await device_keys.upload_keys(self._client)
        if device_keys.lacks_fallback_key(sync):
            await _tolerant(device_keys.upload_fallback_key(self._client))
        await _tolerant(self._insist(self._trust.refresh))
        await _tolerant(device_keys.send_waiting(self._client))

    async def _insist(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Try until it works: what was fetched must not be lost, and its keys come only once."""
        while True:
            try:
                return await attempt()
            except TryLater as error:
                log.warning("sync-retries", reason=str(error))
                await self._pause.wait(error.after)
            except MatrixError:
                raise
            except Exception as error:  # noqa: BLE001  (a database that is locked or full)
                log.error("keeping-failed", error=type(error).__name__)  # noqa: TRY400
                await self._pause.wait()


async def _tolerant(step: Awaitable[object]) -> None:
    """What the homeserver refuses now is tried again after the next sync: no reason to stop listening."""
    try:
        await step
    except Rejected as error:
        log.warning("keys-refused", reason=str(error), code=error.code)


def _undecryptable(room_id: str, source: Json, found: Closed) -> Undecryptable:
    return Undecryptable(
        source["event_id"],
        room_id,
        source["sender"],
        found.session_id,
        moment(source),
        found.key_missing,
        found.place,
        thread_root(source["content"]),
        edited(source["content"]),
    )


def _membership(room_id: str, source: Json) -> Membership | None:
    if source.get("type") != "m.room.member" or not isinstance(source.get("state_key"), str):
        return None
    membership = source.get("content", {}).get("membership")
    if not isinstance(membership, str) or absorbing.was(source) == membership:
        return None
    return Membership(
        room_id, source["state_key"], membership, source["sender"], source["event_id"], moment(source)
    )
