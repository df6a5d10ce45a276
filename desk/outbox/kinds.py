# SPDX-License-Identifier: AGPL-3.0-or-later
"""What outbox rows can be: how patiently each is tried, and what follows when it has left or has not."""

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from desk.context import Work
from storage.models import Outbox
from storage.queries.base import WakeUp

Then = Callable[[Work, Outbox], Awaitable[None]]
ThenTold = Callable[[Work, Outbox], Awaitable[bool]]
"""Returns True when somebody was told, so that the operators need not be."""

SECOND = dt.timedelta(seconds=1)
MINUTE = dt.timedelta(minutes=1)


@dataclass(frozen=True)
class Kind:
    """One kind of row. What follows runs in the unit that notes what came of the row."""

    name: str
    """Stands in the database: it is never changed, and never used for anything else."""
    first_pause: dt.timedelta = SECOND
    """After the first try; it doubles with each."""
    longest_pause: dt.timedelta = 5 * MINUTE
    lifetime: dt.timedelta | None = None
    """After it, a row that still could not leave is parked; None: never."""
    is_said: bool = False
    """Its payload is a `Say`, which can be said in another room."""
    may_wait: bool = False
    """A row may be due later before it is tried at all."""
    wakes: WakeUp | None = None
    """Who waits for any news of such a row."""
    sent: Then | None = None
    postponed: Then | None = None
    failed: ThenTold | None = None
    """It will not leave as it is, and is parked unless this ends it."""
    unclear: Then | None = None
    """Nobody knows whether it has left."""
    overtaken: Then | None = None
    tried_again: Then | None = None
    """A person has it tried again after it was parked; raises Refusal when it cannot be."""


def unfollowed(kind: Kind) -> Kind:
    """Return a kind from whose rows nothing follows."""
    return replace(kind, sent=None, postponed=None, failed=None, unclear=None, overtaken=None)


Kinds = Mapping[str, Kind]
"""All kinds by their names."""


def join(*kinds: Kind) -> Kinds:
    """Return kinds by name. Raises TypeError when two have the same name."""
    joined = {kind.name: kind for kind in kinds}
    if len(joined) < len(kinds):
        names = [kind.name for kind in kinds]
        double = sorted(name for name in joined if names.count(name) > 1)
        raise TypeError(f"Two kinds of outbox rows have one name: {double}")
    return joined
