# SPDX-License-Identifier: AGPL-3.0-or-later
"""Mail bombs: letters beyond a rate wait their turn. Nothing is lost, and operators hear of it once."""

import datetime as dt

from desk.config import DeskConfig, Rate
from desk.context import Work
from desk.outbox.posts import tell_operators
from storage.models import Letter
from storage.queries.letters import LONGEST_TURN
from storage.sealing.vault import address_tag
from storage.unit import Unit

HELD_BACK = "waits: more letters came than are taken in at once"
"""What stands on a letter that waits for its turn."""
_TOLD = "flood.told"
_SPAN = dt.timedelta(hours=1)


async def hold_back(work: Work, letter: Letter) -> bool:
    """Tell whether a letter that is to be opened has to wait, and until when; else count it as begun.

    A letter that was begun before or that a person has released is never held back.
    """
    if letter.begun_at is None and letter.released_by is None and work.config.intake.rate is not None:
        turn = await _turn(work.unit, work.world.now(), work.config.intake.rate, work.config, letter)
        if turn is not None:
            letter.due_at, letter.reason = turn, HELD_BACK
            await _tell(work, work.config.intake.rate)
            return True
    letter.begun_at = letter.begun_at or work.world.now()
    if letter.reason == HELD_BACK:
        letter.reason = None
        await _tell_end(work)
    return False


async def is_on(unit: Unit) -> bool:
    """Tell whether letters wait for their turn."""
    return bool(await unit.facts.get(_TOLD))


async def _turn(
    unit: Unit, now: dt.datetime, rate: Rate, config: DeskConfig, letter: Letter
) -> dt.datetime | None:
    """Return when the letter's turn comes; None when that is now.

    Of one sender, those that wait stand before it in the line. For the rate of all they do not count: who
    sends one letter does not wait for those of somebody who sends thousands.
    """
    letters, since = unit.letters, now - _SPAN
    spans = 1 if await letters.begun_since(since) >= rate.in_all else 0
    own = {address_tag(unit.vault, each) for each in (*rate.exempt, *(q.address for q in config.queues))}
    if letter.sender_tag is not None and letter.sender_tag not in own:
        begun = await letters.begun_since(since, letter.sender_tag)
        waiting = await letters.held(HELD_BACK, sender_tag=letter.sender_tag, before=letter.id)
        crowds = {address_tag(unit.vault, each) for each in rate.crowds}
        most = rate.per_crowd if letter.sender_tag in crowds else rate.per_sender
        spans = max(spans, (begun + waiting) // most)
    return now + min(spans * _SPAN, LONGEST_TURN) if spans else None


async def _tell(work: Work, rate: Rate) -> None:
    if await work.unit.facts.get(_TOLD):
        return
    await work.unit.facts.set(_TOLD, work.world.now().isoformat())
    text = (
        f"More letters come than are taken in: {rate.per_sender} an hour from one sender, "
        f"{rate.in_all} an hour in all. Those beyond wait for their turn; nothing is lost, and no other "
        "sender waits for them. `mail: rate` in the config changes this."
    )
    await tell_operators(work, text)


async def _tell_end(work: Work) -> None:
    """The last one that waited says that it is over."""
    if await work.unit.facts.get(_TOLD) and not await work.unit.letters.held(HELD_BACK):
        await work.unit.facts.set(_TOLD, "")
        await tell_operators(work, "The flood of letters is over: none waits for its turn any more.")
