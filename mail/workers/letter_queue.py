# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters off the shelf: begun in batches, each try counted before anything is made of the letter."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import structlog

from desk.context import Workplace
from desk.intake.rate_limit import hold_back
from desk.keys.standing import USED
from desk.quarantine.letters import put_aside
from mail.limits import HEADER_BYTES
from mail.text.headers import HeaderBlock
from storage.engine.troubles import StorageTrouble
from storage.models import ContactKey, Letter, LetterState
from storage.sealing.vault import SealBroken, address_tag
from storage.unit import Unit

log = structlog.get_logger()

MOST_TRIES = 3
OUR_FAULT = f"our own code fails on it ({MOST_TRIES} tries)"
_BATCH = 8
_BATCH_BYTES = 1_000_000
_POLL_SECONDS = 5.0


@dataclass(frozen=True)
class ClaimedLetter:
    """A letter whose try is counted, as it is handed to GnuPG."""

    id: int
    raw: bytes | None = field(repr=False)
    """None when the master key here does not open it."""
    mail_from: str | None = field(repr=False)
    signers: tuple[bytes, ...] = field(repr=False, default=())


class LetterQueue:
    """The letters that wait to be opened."""

    def __init__(self, place: Workplace) -> None:
        """Nothing is taken off yet."""
        self._place = place
        self._waiting: deque[ClaimedLetter] = deque()
        self._busy: set[int] = set()
        self._choosing = asyncio.Lock()

    async def next(self) -> ClaimedLetter:
        """Return the next letter, as soon as there is one; `done` must be said of it.

        It comes at once when the bell rings, and by looking, as other processes ring none here.
        """
        bell = self._place.units.wake_ups.letters
        async with self._choosing:
            while not self._waiting:
                bell.clear()
                self._waiting.extend(await self._begin_some())
                if not self._waiting:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(_POLL_SECONDS):
                            await bell.wait()
            return self._waiting.popleft()

    def done(self, letter: ClaimedLetter) -> None:
        """Let go of a letter, whatever became of it."""
        self._busy.discard(letter.id)

    async def begin(self, letter_id: int) -> ClaimedLetter | None:
        """Begin one letter; None when it is done, not due or put aside."""
        async with self._place.units() as unit:
            begun = await self._count(unit, await unit.letters.due(self._place.world.now(), [letter_id]))
        return begun[0] if begun else None

    async def give_back(self, letters: Collection[ClaimedLetter]) -> None:
        """Take back the try of letters that nothing was made of."""
        with contextlib.suppress(StorageTrouble):
            async with self._place.units() as unit:
                for begun in letters:
                    letter = await unit.letters.get(begun.id)
                    if letter is not None and letter.state is LetterState.NEW:
                        letter.tries = max(0, letter.tries - 1)

    async def close(self) -> None:
        """Give back what was begun and not handed out."""
        waiting, self._waiting = self._waiting, deque()
        await self.give_back(waiting)

    async def _begin_some(self) -> Sequence[ClaimedLetter]:
        try:
            async with self._place.units() as unit:
                sizes = await unit.letters.waiting(self._place.world.now(), _BATCH, besides=self._busy)
                chosen = _fitting(sizes) if sizes else []
                begun = await self._count(unit, await unit.letters.due(self._place.world.now(), chosen))
        except StorageTrouble:
            log.warning("letters.storage_trouble")
            return []
        self._busy.update(letter.id for letter in begun)
        return begun

    async def _count(self, unit: Unit, letters: Sequence[Letter]) -> list[ClaimedLetter]:
        """Count a try of each: one that kills the process must not do so for ever."""
        begun = []
        for letter in letters:
            if letter.tries >= MOST_TRIES:
                await put_aside(self._place.work(unit), letter, OUR_FAULT)
            elif not await hold_back(self._place.work(unit), letter):
                letter.tries += 1
                begun.append(letter)
        return await read_letters(unit, begun)


def _fitting(waiting: Sequence[tuple[int, int, int]]) -> list[int]:
    """Choose from (id, tries, bytes) what to begin together.

    A letter that was tried before is begun alone, as it may be the one that kills the process.
    """
    chosen: list[int] = []
    room = _BATCH_BYTES
    for letter_id, tries, size in waiting:
        room -= size
        if chosen and (tries or room < 0):
            break
        chosen.append(letter_id)
        if tries:
            break
    return chosen


async def read_letters(unit: Unit, letters: Sequence[Letter]) -> list[ClaimedLetter]:
    """Return letters as they are handed to GnuPG, with the keys in use of their senders."""
    read = [_unseal(letter) for letter in letters]
    tags = [_sender_tag(unit, letter.raw) for letter in read]
    keys = await unit.keys.of_any({tag for tag in tags if tag})
    return [
        ClaimedLetter(letter.id, letter.raw, letter.mail_from, _signers(keys, tag))
        for letter, tag in zip(read, tags, strict=True)
    ]


def _unseal(letter: Letter) -> ClaimedLetter:
    try:
        return ClaimedLetter(letter.id, letter.raw, letter.mail_from)
    except SealBroken:
        return ClaimedLetter(letter.id, None, None)


def _sender_tag(unit: Unit, raw: bytes | None) -> str | None:
    try:
        senders = HeaderBlock(_head(raw or b"")).addresses("from")[:1]
    except Exception as surprise:  # noqa: BLE001 - the others of the batch must not wait for this one
        log.warning("letters.sender_unread", fault=type(surprise).__name__)
        return None
    return address_tag(unit.vault, senders[0][1]) if senders else None


def _signers(keys: Sequence[ContactKey], tag: str | None) -> tuple[bytes, ...]:
    """Return the keys known of the sender; one that is not in use counts for nothing."""
    return tuple(
        key.armor for key in keys if key.contact_tag == tag and key.state in USED and key.armor is not None
    )


def _head(raw: bytes) -> bytes:
    ends = [at for at in (raw.find(b"\n\n"), raw.find(b"\r\n\r\n")) if at >= 0]
    return raw[: min(ends, default=HEADER_BYTES)]
