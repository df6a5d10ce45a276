# SPDX-License-Identifier: AGPL-3.0-or-later
"""The one policy for mail that leaves: how it is protected, or why it cannot leave."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from desk.world import Refusal
from storage.models import ContactKey, Ticket
from storage.states import KeyState
from storage.unit import Unit


@dataclass(frozen=True)
class Protection:
    """How a mail to a user is protected: encrypted to one key, or in clear because nothing forbids it."""

    key: bytes | None
    """The user's public key, armored; None means in clear."""
    fingerprint: str | None

    @property
    def words(self) -> str:
        """What the agent reads in the preview."""
        if self.fingerprint is None:
            return "NOT encrypted (the user never wrote encrypted, and no key is known); signed"
        return f"encrypted to the user's key {spaced(self.fingerprint)}, and signed"


def spaced(fingerprint: str) -> str:
    """Return a fingerprint in groups of four."""
    return " ".join(fingerprint[at : at + 4] for at in range(0, len(fingerprint), 4))


async def protection_of(unit: Unit, ticket: Ticket, now: dt.datetime) -> Protection:
    """Return how a mail to this ticket's user is to be protected.

    Raises Refusal when the ticket is confidential and there is no usable key: it never leaves in clear.
    """
    keys = await unit.keys.of(ticket.contact_tag) if ticket.contact_tag else []
    usable = [key for key in keys if key.state is not KeyState.CHANGED and not _expired(key, now)]
    if usable:
        chosen = usable[-1]
        return Protection(chosen.armor, chosen.fingerprint)
    if ticket.confidential:
        raise Refusal(_why_not(keys, now))
    if keys:
        raise Refusal(f"{_why_not(keys, now)} A key was known once, so this mail does not leave in clear.")
    return Protection(None, None)


def _expired(key: ContactKey, now: dt.datetime) -> bool:
    return key.expires_at is not None and key.expires_at <= now


def _why_not(keys: Sequence[ContactKey], now: dt.datetime) -> str:
    if not keys:
        what = "this ticket is confidential, and no public key of the user is known"
    elif any(_expired(key, now) for key in keys):
        what = "the user's public key has expired"
    else:
        what = "the user's public key has changed, and nobody has accepted the new one"
    return (
        f"Not sent: {what}. Ask the user for a (new) public key over another way, "
        "or have a sysadmin import it with `helproom keys import`."
    )
