# SPDX-License-Identifier: AGPL-3.0-or-later
"""Our own mail come back, known by Message-ID, sender or mark; operators hear of it once a day."""

from desk.config import DeskConfig
from desk.context import Work
from desk.intake.context import Arrival, Verdict, first
from desk.letters.opened import Automatic, EncryptionState, Opened
from desk.outbox.posts import tell_operators
from desk.quarantine.letters import CAME_BACK, put_aside
from storage.models import LetterState, MessageKind

_SHUT = frozenset({EncryptionState.UNDECRYPTABLE, EncryptionState.BROKEN})
_PERHAPS_FORWARDED = "it bears the mark of a mailbox through which it came before, as what was forwarded does"
_PERHAPS_A_REPORT = "it comes from our own address and cannot be opened: it may be a report"
_TOLD = "loop.told"


async def take_out(work: Work, arrival: Arrival) -> Verdict | None:
    """Drop and count our own mail; what may be a person's all the same is put aside."""
    opened = arrival.opened
    is_marked = any(work.config.is_ours(mark) for mark in opened.loop_marks)
    is_from_us = _is_from_us(work.config, opened)
    if is_marked or first(arrival.same_id, MessageKind.OUT) is not None:
        return await _dropped(work, arrival)
    if is_from_us and opened.encryption.state in _SHUT:
        return await _aside(work, arrival, _PERHAPS_A_REPORT)
    if not is_from_us and opened.automatic is Automatic.LOOP:
        return await _aside(work, arrival, _PERHAPS_FORWARDED)
    return await _dropped(work, arrival) if is_from_us else None


def _is_from_us(config: DeskConfig, opened: Opened) -> bool:
    # WhisperBack may put the desk's own address into From.
    return not opened.by_whisperback and config.is_ours(opened.headers.sender)


async def _aside(work: Work, arrival: Arrival, reason: str) -> Verdict:
    await put_aside(work, arrival.letter, reason)
    return LetterState.QUARANTINED, reason


async def _dropped(work: Work, arrival: Arrival) -> Verdict:
    """A mail server that marks whatever it hands over would have all letters dropped, and nobody notice."""
    number, today = arrival.letter.id, work.world.now().date().isoformat()
    if await work.unit.facts.get(_TOLD) != today:
        await work.unit.facts.set(_TOLD, today)
        text = (
            f"Letter {number} is dropped: {CAME_BACK}. `!quarantine show {number}` shows it all the same. "
            "Others of today are only counted."
        )
        await tell_operators(work, text)
    return LetterState.DROPPED, CAME_BACK
