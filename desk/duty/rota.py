# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who is on duty: a pure question to the list of shifts."""

import datetime as dt
from collections.abc import Iterable
from zoneinfo import ZoneInfo

from desk.config import Shift


def on_duty(shifts: Iterable[Shift], queue: str, now: dt.datetime) -> tuple[str, ...]:
    """Return the Matrix user ids of those on duty for a queue at `now` (aware), in order of the list."""
    found = (shift.user_id for shift in shifts if _covers_queue(shift, queue) and _covers(shift, now))
    return tuple(dict.fromkeys(found))


def _covers_queue(shift: Shift, queue: str) -> bool:
    return not shift.queues or queue in shift.queues


def _covers(shift: Shift, now: dt.datetime) -> bool:
    local = now.astimezone(ZoneInfo(shift.zone))
    clock = local.time()
    if shift.start < shift.end:
        return local.weekday() in shift.weekdays and shift.start <= clock < shift.end
    if clock >= shift.start:
        return local.weekday() in shift.weekdays
    yesterday = (local.weekday() - 1) % 7
    return clock < shift.end and yesterday in shift.weekdays
