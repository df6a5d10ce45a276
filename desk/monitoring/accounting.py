# SPDX-License-Identifier: AGPL-3.0-or-later
"""No letter may vanish: once a day, what came in is compared with what was made of it."""

import datetime as dt
from collections.abc import Sequence

from desk.context import Work
from desk.outbox.posts import tell_operators
from storage.models import LetterState
from storage.queries.accounting import Census

CHECKED_UP_TO = "conservation.checked-up-to"
_DAY = dt.timedelta(days=1)
_WORDS = (
    (LetterState.TICKET, "new tickets"),
    (LetterState.FOLLOW_UP, "follow-ups"),
    (LetterState.QUARANTINED, "in quarantine"),
    (LetterState.DROPPED, "dropped"),
    (LetterState.NEW, "waiting"),
)


async def check_yesterday(work: Work) -> Census | None:
    """Check the days (UTC) that have ended since the last check; None when there is none.

    The operators' room hears of it when the sums do not add up, or when letters wait for more than a day.
    """
    now = work.world.now()
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    stored = await work.unit.facts.get(CHECKED_UP_TO)
    since = dt.datetime.fromisoformat(stored) if stored else today - _DAY
    if since == today:
        return None
    await work.unit.facts.set(CHECKED_UP_TO, today.isoformat())
    if since > today:
        # The clock was set back: the days from here on are checked as they end.
        return None
    found = await work.unit.accounting.census(since, today)
    waiting = await work.unit.accounting.waiting_since_before(now - _DAY)
    text = " ".join((*_sums(found, since, today), *_patience(waiting)))
    if text:
        await tell_operators(work, text)
    return found


def _sums(found: Census, since: dt.datetime, until: dt.datetime) -> Sequence[str]:
    accounted = sum(found.counts.values())
    if accounted == found.received and not found.orphans:
        return ()
    parts = " + ".join(f"{found.counts.get(state, 0)} {words}" for state, words in _WORDS)
    days = f"{since:%Y-%m-%d}" if until - since <= _DAY else f"{since:%Y-%m-%d} to {until - _DAY:%Y-%m-%d}"
    said = [f"The letters of {days} do not add up: {found.received} received, but {parts} = {accounted}."]
    if found.lost:
        said.append(f"Nothing came of letter {_numbers(found.lost)}, though it counts as done.")
    if found.orphans:
        said.append(f"{found.orphans} messages of users have lost the letters they came in.")
    return (*said, "Please tell whoever looks after Helproom; nothing was changed.")


def _patience(waiting: Sequence[int]) -> Sequence[str]:
    if not waiting:
        return ()
    return (f"For more than a day these letters have waited to be opened: {_numbers(waiting)}.",)


def _numbers(ids: Sequence[int]) -> str:
    return ", ".join(map(str, ids))
