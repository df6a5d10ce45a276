# SPDX-License-Identifier: AGPL-3.0-or-later
"""Identities of people in Matrix: listed, accepted after a change, forgotten.

Whoever asks writes an outbox row, and the running desk acts on it: it alone knows what the homeserver shows.
"""

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass

from desk.context import Work
from desk.outbox.kinds import Kind
from desk.outbox.posts import put, tell_operators
from desk.world import Refusal
from storage.models import Pin
from storage.sealing.columns import to_json
from storage.unit import Unit

ACCEPT = Kind("pin.accept")
DROP = Kind("pin.drop")
_LANE = "pins"


@dataclass(frozen=True)
class PinRequest:
    """Whose identity it is, and for ACCEPT the master key that a person has checked."""

    user_id: str
    master_key: str = ""
    quietly: bool = False
    """The operators are not told."""


def wish_from_json(payload: str) -> PinRequest:
    """Return what a row of the kind ACCEPT or DROP is about."""
    return PinRequest(**json.loads(payload))


async def changed(work: Work, user_id: str, shown_key: str) -> None:
    """Tell the operators, once, that somebody shows another identity than the pinned one, or none (empty)."""
    pin = await work.unit.pins.get(user_id)
    if pin is None or pin.shown_key == shown_key:
        return
    pin.shown_key = shown_key
    shown = f"It was `{pin.master_key}` and is now `{shown_key}`." if shown_key else "Now they show none."
    remedy = _ACCEPT.format(user=user_id) if shown_key else _DROP.format(user=user_id)
    await tell_operators(work, f"{_CHANGED.format(user=user_id)}\n{shown}\n{remedy}")


async def listed(unit: Unit) -> str:
    """Return whom we know by which identity; those that have changed come first."""
    pins = sorted(await unit.pins.every(), key=lambda pin: (pin.shown_key is None, pin.user_id or ""))
    return "\n".join(map(_line, pins)) or "No identity is pinned yet."


def _line(pin: Pin) -> str:
    words = f"{pin.user_id}: `{pin.master_key}`, pinned on {pin.pinned_at:%Y-%m-%d}"
    if pin.shown_key is None:
        return words
    return f"{words}. CHANGED: now `{pin.shown_key}`" if pin.shown_key else f"{words}. CHANGED: now none"


async def accept(work: Work, user_id: str) -> str:
    """Have the identity accepted that was last told of; raises Refusal when nothing has changed."""
    pin = await _pin(work.unit, user_id)
    if pin.shown_key is None:
        raise Refusal(f"The identity of {user_id} has not changed: there is nothing to accept.")
    if not pin.shown_key:
        raise Refusal(f"{user_id} shows no identity now. {_DROP.format(user=user_id)}")
    await _ask(work, ACCEPT, PinRequest(user_id, pin.shown_key))
    return f"The new identity of {user_id} is being accepted."


async def drop(work: Work, user_id: str) -> str:
    """Have an identity forgotten; raises Refusal when none is pinned."""
    await _pin(work.unit, user_id)
    await _ask(work, DROP, PinRequest(user_id))
    return f"The identity of {user_id} is being forgotten: the next one that is seen counts."


async def forget_guests(work: Work, guests: Collection[str]) -> None:
    """Have the identities of guests forgotten whose room has ended."""
    for user_id in guests:
        if await work.unit.pins.get(user_id) is not None:
            await _ask(work, DROP, PinRequest(user_id, quietly=True))


async def _pin(unit: Unit, user_id: str) -> Pin:
    pin = await unit.pins.get(user_id)
    if pin is None:
        raise Refusal(f"No identity of {user_id} is pinned.")
    return pin


async def _ask(work: Work, kind: Kind, wish: PinRequest) -> None:
    await put(work, kind, _LANE, to_json(asdict(wish)))


_CHANGED = (
    "The Matrix identity of {user} has changed. Until somebody has made sure that this is really them, their "
    "devices do not get what I write, and I do not trust what these say."
)
_ACCEPT = (
    "Ask them through another channel than Matrix whether they have reset it. If so, an admin says here: "
    "`!pins accept {user}`"
)
_DROP = (
    "When they have set up a new one and you have made sure that it is theirs, an admin says here: "
    "`!pins drop {user}`"
)
