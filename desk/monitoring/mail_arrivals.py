# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether mail comes in: silence is told once in the operators' room, and again when it has ended."""

import datetime as dt
from dataclasses import dataclass

from desk.context import Work
from desk.outbox.posts import ago, tell_operators
from storage.unit import Unit

_TOLD = "told"


@dataclass
class MailboxHealth:
    """When emptying a mailbox last went on without trouble, and what the trouble is since."""

    mailbox: str
    at: dt.datetime | None = None
    """None as long as it has not succeeded since the start."""
    trouble: str = ""


async def watch_mailbox(work: Work, pulse: MailboxHealth, limit: dt.timedelta) -> None:
    """Tell when a mailbox was not emptied for longer than `limit`, whatever restarts lie in between."""
    now = work.world.now()
    seen, told = f"mailbox.seen:{pulse.mailbox}", f"mailbox.told:{pulse.mailbox}"
    stored = await work.unit.facts.get(seen)
    at = pulse.at or (dt.datetime.fromisoformat(stored) if stored else now)
    if at > now:
        # The clock was set back: silence counts from now on.
        pulse.at = at = now
    if stored != at.isoformat():
        await work.unit.facts.set(seen, at.isoformat())
    silent = now - at > limit
    if silent == (await work.unit.facts.get(told) == _TOLD):
        return
    await work.unit.facts.set(told, _TOLD if silent else "")
    await tell_operators(work, _silence(pulse, at, now) if silent else _end(pulse))


def _silence(pulse: MailboxHealth, since: dt.datetime, now: dt.datetime) -> str:
    why = pulse.trouble or "It is not known why."
    return (
        f"Mailbox {pulse.mailbox} was not emptied for {ago(since, now)}. {why} "
        "Letters wait there, and fetching is tried again by itself. `helproom check` looks closer."
    )


def _end(pulse: MailboxHealth) -> str:
    return f"Mailbox {pulse.mailbox} is emptied again."


async def _begin(unit: Unit, now: dt.datetime) -> dt.datetime:
    """Return when it was first looked for letters, of which none has come yet."""
    begun = await unit.facts.get("letters.watched")
    if begun:
        return dt.datetime.fromisoformat(begun)
    await unit.facts.set("letters.watched", now.isoformat())
    return now


async def watch_arrivals(work: Work, limit: dt.timedelta) -> None:
    """Tell when no letter came in for longer than `limit`, by whichever way, or none since it is watched."""
    now, told = work.world.now(), "letters.told"
    newest = await work.unit.accounting.newest_arrival(now) or await _begin(work.unit, now)
    silent = now - newest > limit
    if silent == (await work.unit.facts.get(told) == _TOLD):
        return
    await work.unit.facts.set(told, _TOLD if silent else "")
    quiet = (
        f"No letter came in for {ago(newest, now)}. If that is unusual, send one to the desk and see "
        "whether it arrives."
    )
    await tell_operators(work, quiet if silent else "Letters come in again.")
