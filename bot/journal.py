# SPDX-License-Identifier: AGPL-3.0-or-later
"""Keeps what a sync brought: commands and reactions in our rooms, with the token, in one transaction."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from bot.heard import Batch, Heard, Kind, Membership, Undecryptable
from commands.running import is_command
from desk.posting import Say, say_in
from desk.receipts import CANCEL_KEY, CLAIM_KEY, SEND_KEY
from desk.world import World
from storage.models import Event
from storage.sealed import to_json
from storage.states import EventState
from storage.unit import Unit, Units

SYNC_TOKEN = "sync token"  # noqa: S105  (a place in a stream, no secret)
_GAP = "I was away for long and may have missed commands; please repeat what I have not answered."
_VARIATION_SELECTORS = str.maketrans("", "", "\ufe0e\ufe0f")
"""They ask for a text or an emoji look; which of them comes along depends on the client."""
_BUTTONS = frozenset({CLAIM_KEY, SEND_KEY, CANCEL_KEY})


@dataclass(frozen=True)
class Journalled:
    """What of an event is kept until somebody has acted on it."""

    kind: Kind
    body: str
    key: str
    thread: str | None
    target: str | None
    sent_at: float
    """Seconds since 1970."""
    verified: bool
    pills: tuple[str, ...]


class Journal:
    """The `keep` of a Syncer."""

    def __init__(self, units: Units, world: World, *, own_id: str) -> None:
        self._units = units
        self._world = world
        self._own_id = own_id
        self.invitations: asyncio.Queue[Membership] = asyncio.Queue()

    async def keep(self, batch: Batch) -> None:
        """Commit the batch and its token together."""
        async with self._units() as unit:
            rooms = await unit.rooms.all_open()
            ours = {room.room_id for room in rooms}
            for heard in batch.heard:
                if heard.room_id in ours and self._matters(heard):
                    await self._add(unit, heard)
            for closed in batch.undecryptable:
                if closed.room_id in ours and closed.sender != self._own_id:
                    await self._add_closed(unit, closed)
            for room in [one for one in rooms if one.room_id in batch.gaps]:
                await say_in(unit, self._world, room, Say(_GAP))
            await unit.facts.set(SYNC_TOKEN, batch.token)
        for change in batch.memberships:
            if change.user_id == self._own_id and change.membership == "invite":
                self.invitations.put_nowait(change)

    def _matters(self, heard: Heard) -> bool:
        """Talk among agents is not ours to keep: only commands, and reactions that are buttons."""
        if heard.kind is Kind.MESSAGE:
            return heard.decrypted and heard.msgtype == "m.text" and is_command(heard.body)
        return heard.kind is Kind.REACTION and _bare(heard.key) in _BUTTONS

    async def _add(self, unit: Unit, heard: Heard) -> None:
        content = to_json(
            {
                "kind": heard.kind.value,
                "body": heard.body,
                "key": _bare(heard.key),
                "thread": heard.thread_root,
                "target": heard.relates_to,
                "sent_at": heard.sent_at.timestamp(),
                "verified": heard.verified,
                "pills": heard.pills,
            }
        )
        await unit.journal.add(self._row(heard, EventState.NEW), content, sender=heard.sender)

    async def _add_closed(self, unit: Unit, closed: Undecryptable) -> None:
        row = self._row(closed, EventState.UNDECRYPTABLE)
        await unit.journal.add(row, closed.session_id, sender=closed.sender)

    def _row(self, of: Heard | Undecryptable, state: EventState) -> Event:
        return Event(
            event_id=of.event_id,
            room_id=of.room_id,
            state=state,
            heard_at=self._world.now(),
        )


def read(content: str) -> Journalled:
    """Return what `Journal` has written."""
    fields: dict[str, Any] = json.loads(content)
    return Journalled(**{**fields, "kind": Kind(fields["kind"]), "pills": tuple(fields["pills"])})


def _bare(key: str) -> str:
    return key.translate(_VARIATION_SELECTORS)
