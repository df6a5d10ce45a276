# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where a contact's public keys stand at a given time: pure questions to their rows."""

import datetime as dt
from collections.abc import Sequence

from storage.models import ContactKey, KeyState

USED = frozenset({KeyState.SEEN, KeyState.PINNED})
"""What is encrypted to, and whose signatures count; all other keys wait or are put aside."""
FLAW_WORDS = {
    KeyState.EXPIRED: "has expired",
    KeyState.REVOKED: "is revoked by its owner",
    KeyState.UNUSABLE: "is not made for encryption, or too weak for it",
}


def flaw_of(key: ContactKey, now: dt.datetime) -> KeyState | None:
    """Return why nothing can be encrypted to it now: revoked, unusable or expired; None when one can."""
    if key.problem is not None:
        return key.problem
    return KeyState.EXPIRED if key.expires_at is not None and key.expires_at <= now else None


def standing(key: ContactKey, now: dt.datetime) -> KeyState:
    """Return the one word for a key: its flaw, or what was made of it."""
    return flaw_of(key, now) or key.state


def current(keys: Sequence[ContactKey]) -> ContactKey | None:
    """Return the one key that stands for the contact, usable or not: the pinned one, else the seen one."""
    used = sorted((key for key in keys if key.state in USED), key=lambda key: key.state is KeyState.PINNED)
    return used[-1] if used else None


def contact_standing(keys: Sequence[ContactKey], now: dt.datetime) -> KeyState:
    """Return the one word for a contact: that of the current key, else of the newest, else none."""
    chosen = current(keys) or (keys[-1] if keys else None)
    return standing(chosen, now) if chosen is not None else KeyState.NONE


def waiting(keys: Sequence[ContactKey]) -> Sequence[ContactKey]:
    """Return the keys that wait for a person's word."""
    return [key for key in keys if key.state is KeyState.CHANGED]


def spaced(fingerprint: str) -> str:
    """Return a fingerprint in groups of four."""
    return " ".join(fingerprint[at : at + 4] for at in range(0, len(fingerprint), 4))
