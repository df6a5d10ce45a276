# SPDX-License-Identifier: AGPL-3.0-or-later
"""Answers: their files, and the end of their holds."""

import datetime as dt
from collections.abc import Callable

from bot.carriers.enclosures import EnclosureFetcher
from desk.context import Workplace
from desk.replies import drafts
from helproom.features.feature import Feature
from helproom.jobs.schedule import LOOK_ANYHOW, Job
from helproom.parts.parts import Parts

_SOON = dt.timedelta(seconds=1)
"""For the time in which what was said is still to be heard, or acted on."""


def wire(parts: Parts) -> Feature:
    """Return what fetches the files of answers, and what sends answers when their hold ends."""
    matrix = parts.matrix
    files = EnclosureFetcher(parts.place, matrix.session.client, only_verified=matrix.only_verified)
    holds = Holds(parts.place, has_caught_up=lambda: matrix.syncer.has_caught_up)
    return Feature(
        carriers=files.table(),
        jobs=(Job("end holds", holds.end_due, LOOK_ANYHOW, parts.desk.units.wake_ups.holds),),
    )


class Holds:
    """Ends holds when their time has come."""

    def __init__(self, place: Workplace, *, has_caught_up: Callable[[], bool] = lambda: True) -> None:
        """`has_caught_up` tells whether what was said in the rooms before this process began was heard."""
        self._place = place
        self._has_caught_up = has_caught_up

    async def end_due(self) -> dt.timedelta | None:
        """Send the answers whose hold has ended; return when the next one's ends.

        What was said before may take an answer back, or change its words: that is acted on first.
        """
        if not self._has_caught_up():
            return _SOON
        now = self._place.world.now
        async with self._place.units() as unit:
            due = await unit.messages.due_replies(now())
            if due and await unit.journal.next_new() is not None:
                return _SOON
        for message_id in due:
            async with self._place.units() as unit:
                await drafts.end_hold(self._place.work(unit), message_id)
        async with self._place.units() as unit:
            await drafts.mend_holds(self._place.work(unit))
            ends = await unit.messages.next_hold()
        return None if ends is None else ends - now()
