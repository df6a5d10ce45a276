# SPDX-License-Identifier: AGPL-3.0-or-later
"""The one policy for mail that leaves: how it is protected, or why it cannot leave."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

from desk.key_states import FLAW_WORDS, current, flaw_of, spaced, waiting
from desk.world import Refusal
from storage.models import ContactKey, Ticket
from storage.states import KeyState
from storage.unit import Unit


@dataclass(frozen=True)
class Protection:
    """How a mail to a user is protected: encrypted to one key, or in clear because nothing forbids it."""

    key: bytes | None = field(repr=False)
    """The user's public key, armored; None means in clear."""
    fingerprint: str | None
    trust: str = field(default="", compare=False)
    """What is known of the key, for the preview."""

    @property
    def words(self) -> str:
        """What the agent reads in the preview."""
        if self.fingerprint is None:
            return "NOT encrypted (the user never wrote encrypted, and no key is known); signed"
        return f"encrypted to the user's key {spaced(self.fingerprint)}{self.trust}, and signed"


async def protection_of(unit: Unit, ticket: Ticket, now: dt.datetime) -> Protection:
    """Return how a mail to this ticket's user is to be protected, looking at the keys as they are now.

    Raises Refusal when the ticket is confidential or a key was ever known, and there is no usable one:
    such a mail never leaves in clear.
    """
    keys = await unit.keys.of(ticket.contact_tag) if ticket.contact_tag else []
    return choose(keys, confidential=ticket.confidential, now=now)


def choose(keys: Sequence[ContactKey], *, confidential: bool, now: dt.datetime) -> Protection:
    """Decide by a contact's keys, oldest first; raises Refusal as `protection_of`."""
    chosen = current(keys)
    if chosen is not None and flaw_of(chosen, now) is None:
        return Protection(chosen.armor, chosen.fingerprint, _trust(chosen, keys))
    if keys or confidential:
        raise Refusal(f"Not sent: {_why_not(keys, now, confidential=confidential)}")
    return Protection(None, None)


def _trust(chosen: ContactKey, keys: Sequence[ContactKey]) -> str:
    if chosen.state is KeyState.PINNED:
        known = f"accepted {_day(chosen.decided_at)} by {chosen.decided_by or 'a sysadmin'}"
    else:
        known = f"first seen {_day(chosen.seen_at)}, compared by nobody"
    also = "; another key waits for your word: `!key show`" if waiting(keys) else ""
    return f" ({known}{also})"


def _day(moment: dt.datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment is not None else ""


def _why_not(keys: Sequence[ContactKey], now: dt.datetime, *, confidential: bool) -> str:
    """Say what happened, and what to type or do."""
    if not keys:
        return (
            "this ticket is confidential, and no public key of the user is known. Ask the user for one over "
            "another way, or have a sysadmin import one with `helproom keys import`."
        )
    hint = (
        "`!key show` shows the waiting one; compare it with the user, then `!key accept` or `!key refuse`."
        if waiting(keys)
        else "Ask the user for a new one over another way, or have a sysadmin import it with "
        "`helproom keys import`. `!key show` shows what is known."
    )
    known_once = "" if confidential else " A key was known once, so this mail does not leave in clear."
    return f"{_what_is_wrong(keys, now)}. {hint}{known_once}"


def _what_is_wrong(keys: Sequence[ContactKey], now: dt.datetime) -> str:
    chosen = current(keys)
    flaw = flaw_of(chosen, now) if chosen is not None else None
    if flaw is not None:
        return f"the user's public key {FLAW_WORDS[flaw]}"
    if waiting(keys):
        return "the user's public key has changed, and nobody has accepted the new one"
    return "of the public keys that came for the user, none is accepted (any more)"
