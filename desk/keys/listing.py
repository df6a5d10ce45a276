# SPDX-License-Identifier: AGPL-3.0-or-later
"""How a user's public keys are shown: where each came from, how it stands, what one may type."""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import Any

from desk.keys.standing import contact_standing, current, spaced, standing
from storage.models import ContactKey, KeyState

_SOURCES = {
    "autocrypt": "an Autocrypt header",
    "attached": "an attachment",
    "report": "a WhisperBack report",
    "imported": "a sysadmin's import",
}
_STATES = {
    KeyState.SEEN: "the first that came; nobody has compared it",
    KeyState.PINNED: "accepted",
    KeyState.CHANGED: "it waits; NOT used until it is accepted",
    KeyState.REFUSED: "refused; not used",
    KeyState.REPLACED: "replaced by another; not used",
    KeyState.EXPIRED: "EXPIRED: nothing can be encrypted to it any more",
    KeyState.REVOKED: "REVOKED by its owner: somebody else may have it",
    KeyState.UNUSABLE: "UNUSABLE: not made for encryption, or too weak for it",
}
FORGOTTEN = (
    "The public keys of this user were forgotten, and none has come since. No answer leaves until one comes: "
    "`!key ask` asks them for one."
)
WITHOUT_KEYS = (
    "While no other key of this user can be used, no answer leaves, and none in clear. The next key that the "
    "user sends counts as the first and is used at once, also one that was refused before."
)
NO_KEY = "No public key of this user is known. `!key ask` asks them for one."


def shown(keys: Sequence[ContactKey], now: dt.datetime) -> str:
    """Return all keys of a contact, oldest first, and what to type; without addresses."""
    if not keys:
        return NO_KEY
    return f"{described(keys, now)}\n\n{_HINT}"


def described(keys: Sequence[ContactKey], now: dt.datetime) -> str:
    """Return all keys of a contact that has some, oldest first, without what to type."""
    used = current(keys)
    blocks = [_block(key, now, is_current=key is used) for key in keys]
    return "\n\n".join((_head(keys, now), *blocks))


_HINT = (
    "Compare a fingerprint with the user through another channel than mail, then `!key accept 89ABCDEF` or "
    "`!key refuse 89ABCDEF` with its last digits; `!key ask` asks the user."
)


def _head(keys: Sequence[ContactKey], now: dt.datetime) -> str:
    what = "1 key" if len(keys) == 1 else f"{len(keys)} keys"
    return f"Public keys of this user: {what}. State: {contact_standing(keys, now).value}."


def _block(key: ContactKey, now: dt.datetime, *, is_current: bool) -> str:
    about = json.loads(key.about or "{}")
    states = dict.fromkeys((standing(key, now), key.state))
    lines = (
        spaced(key.fingerprint or "") + (" — answers are encrypted to this one" if is_current else ""),
        f"  {'; '.join(_STATES[state] for state in states)}",
        f"  {_decision(key)}" if key.decided_at else "",
        f"  {_made(about)}, {_end(key, now)}",
        f"  first seen {key.seen_at:%Y-%m-%d} in {_SOURCES.get(key.source, key.source)}{_ticket(key)}",
        f"  last seen {key.last_seen_at:%Y-%m-%d}, {_letters(key.letters)}",
        "" if about.get("names_contact") else "  Attention: it does not name the user's address.",
        "  The user's mail program asks for encrypted answers." if key.prefers_encryption else "",
    )
    return "\n".join(line for line in lines if line)


def _decision(key: ContactKey) -> str:
    return f"decided by {key.decided_by or 'a sysadmin'} on {key.decided_at:%Y-%m-%d}"


def _made(about: Mapping[str, Any]) -> str:
    created = str(about.get("created") or "")
    return f"{about.get('algorithm') or 'unknown algorithm'}, made {created[:10] or 'at an unknown time'}"


def _end(key: ContactKey, now: dt.datetime) -> str:
    if key.expires_at is None:
        return "without end"
    return f"{'expired' if key.expires_at <= now else 'expires'} {key.expires_at:%Y-%m-%d}"


def _ticket(key: ContactKey) -> str:
    return f", ticket {key.ticket_id}" if key.ticket_id is not None else ""


def _letters(count: int) -> str:
    return "brought by 1 letter of the user" if count == 1 else f"brought by {count} letters of the user"
