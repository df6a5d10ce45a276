# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a running desk does by itself: each job with its longest sleep and what wakes it earlier.

What the jobs work on lies in the database, so that a restart loses nothing.
"""

import datetime as dt
from collections.abc import Callable, Sequence

from bot.desk.worker import Worker
from desk.context import Workplace
from desk.monitoring.accounting import check_yesterday
from desk.replies import drafts
from desk.rooms import disposable
from helproom.jobs.keywatch import KEY_CHECK_SECONDS, KeyWatch
from helproom.jobs.mailboxes import WATCH_SECONDS, Mailboxes
from helproom.jobs.schedule import Job
from storage.unit import Units

_LOOK_ANYHOW = 20.0
"""Seconds after which a job that sleeps until something is due looks whatever it expects: the clock may have
been set forwards, or the machine suspended."""

_SOON = dt.timedelta(seconds=1)
"""For the time in which what was said is still to be heard, or acted on."""


class Watches:
    """The jobs that end what has an end."""

    def __init__(self, place: Workplace, *, has_caught_up: Callable[[], bool] = lambda: True) -> None:
        """`has_caught_up` tells whether what was said in the rooms before this process began was heard."""
        self._place = place
        self._has_caught_up = has_caught_up

    async def end_holds(self) -> dt.timedelta | None:
        """Send the answers whose hold has ended; return when the next one's ends.

        What was said before may take an answer back, or change its words: that is acted on first.
        """
        if not self._has_caught_up():
            return _SOON
        async with self._place.units() as unit:
            due = await unit.messages.due_replies(self._place.world.now())
            if due and await unit.journal.next_new() is not None:
                return _SOON
        for message_id in due:
            async with self._place.units() as unit:
                await drafts.end_hold(self._place.work(unit), message_id)
        async with self._place.units() as unit:
            await drafts.mend_holds(self._place.work(unit))
            return self._until(await unit.messages.next_hold())

    async def end_rooms(self) -> dt.timedelta | None:
        """End the rooms whose time has come; return when the next one's comes."""
        async with self._place.units() as unit:
            return self._until(await disposable.end_rooms(self._place.work(unit)))

    async def check_sums(self) -> None:
        """See whether something was made of each letter that came on the days that have ended."""
        async with self._place.units() as unit:
            await check_yesterday(self._place.work(unit))

    def _until(self, due: dt.datetime | None) -> dt.timedelta | None:
        return None if due is None else due - self._place.world.now()


def waiting_jobs(
    watches: Watches, worker: Worker, mailboxes: Mailboxes, keys: KeyWatch, units: Units
) -> Sequence[Job]:
    """Return the jobs that sleep by the monotonic clock."""
    wake_ups = units.wake_ups
    return (
        Job("end holds", watches.end_holds, _LOOK_ANYHOW, wake_ups.holds),
        Job("end disposable rooms", watches.end_rooms, _LOOK_ANYHOW, wake_ups.rooms),
        Job("hint at unreadable messages", worker.hint_undecryptable, _LOOK_ANYHOW, wake_ups.unreadable),
        Job("watch mailboxes", mailboxes.watch, WATCH_SECONDS),
        Job("watch keys", keys.look, KEY_CHECK_SECONDS),
    )


def daily_jobs(watches: Watches) -> Sequence[Job]:
    """Return the jobs that stand in the calendar."""
    return (Job("check the sums of letters", watches.check_sums, 0.0),)
