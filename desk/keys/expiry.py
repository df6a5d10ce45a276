# SPDX-License-Identifier: AGPL-3.0-or-later
"""The operators hear 60, 30 and 7 days before a queue's key expires, and when it has: once each."""

import datetime as dt
from collections.abc import Mapping

from desk.config import Queue
from desk.context import Work
from desk.keys.standing import spaced
from desk.outbox.posts import tell_operators

WARN_DAYS = (60, 30, 7, 0)
"""Days before the end; 0 stands for the end itself."""


async def warn_of_expiry(work: Work, ends: Mapping[str, dt.datetime | None]) -> None:
    """Tell the operators of each queue's key that comes nearer to its end than was told before.

    `ends` gives by fingerprint when a key expires, None for never; a queue whose key is not in it is told by
    `helproom check`. What was told is kept, so that a restart repeats nothing; an extended key begins anew.
    """
    for queue in work.config.queues:
        end = ends.get(queue.fingerprint)
        await work.unit.facts.set(_end_fact(queue), end.isoformat() if end else "")
        step = _step(end, work.world.now())
        if end is None or step is None:
            continue
        fact, told = f"key expiry {queue.fingerprint}", f"{end:%Y-%m-%dT%H:%M:%SZ} {step}"
        if await work.unit.facts.get(fact) != told:
            await work.unit.facts.set(fact, told)
            await tell_operators(work, _words(queue.name, queue.fingerprint, end, step))


def _end_fact(queue: Queue) -> str:
    return f"key end {queue.fingerprint}"


async def words_if_over(work: Work, queue: Queue) -> str:
    """Return what to say when a queue's key had expired as it was looked at last; else nothing."""
    known = await work.unit.facts.get(_end_fact(queue))
    if not known or dt.datetime.fromisoformat(known) > work.world.now():
        return ""
    return (
        f"Attention: the OpenPGP key of the queue “{queue.name}” has expired, so this does not leave before "
        f"whoever runs Helproom extends it (`helproom keys expire {queue.name} 2y`)."
    )


def _step(end: dt.datetime | None, now: dt.datetime) -> int | None:
    """Return the smallest of the days that are reached; None when the end is further away."""
    if end is None:
        return None
    return min((days for days in WARN_DAYS if end - now <= dt.timedelta(days=days)), default=None)


def _words(queue: str, fingerprint: str, end: dt.datetime, step: int) -> str:
    when = f"expires on {end:%Y-%m-%d}" if step else f"has EXPIRED on {end:%Y-%m-%d}"
    then = (
        "After that, nobody can write encrypted to this queue, and no answer leaves."
        if step
        else "Nobody can write encrypted to this queue, and no answer leaves."
    )
    return (
        f"The OpenPGP key of the queue “{queue}”, {spaced(fingerprint)}, or a subkey that it needs, "
        f"{when}. {then} Extend it with `helproom keys expire {queue} 2y`, and publish what "
        f"`helproom keys export {queue}` writes."
    )
