# SPDX-License-Identifier: AGPL-3.0-or-later
"""Turns letters that were kept into what the desk makes of them: opened outside any unit, several at once."""

import asyncio
import contextlib
import datetime as dt
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from desk import intake
from desk.house import House
from desk.intake import Desk
from desk.opened import Opened, Unopenable
from desk.posting import tell_operators
from desk.world import Refusal, World
from mail.headers import HeaderBlock
from mail.limits import HEADER_BYTES
from mail.opening import open_letter
from mail.openpgp import KeyRefused, Keyring, KeyringUnusable, Workshop
from storage.models import Letter
from storage.sealing import SealBroken, address_tag
from storage.states import KeyState, LetterState
from storage.unit import StorageTrouble, Unit, Units

log = structlog.get_logger()

MOST_TRIES = 3
_OUR_FAULT = f"our own code fails on it ({MOST_TRIES} tries)"
_SEALED = (
    "Letters wait because the master key here is not the one that sealed them or their ticket. "
    "They are tried again by themselves: put the right key, or the older one beside the new one, and restart."
)
_POLL_SECONDS = 5.0
_STORAGE_PAUSE_SECONDS = 2.0
_BATCH = 64
_PAUSE = dt.timedelta(minutes=1)
_LONGEST_PAUSE = dt.timedelta(minutes=30)
_MOST_DOUBLINGS = 5


@dataclass(frozen=True)
class _Sealed:
    """A letter as it is handed to GnuPG."""

    raw: bytes = field(repr=False)
    mail_from: str | None = field(repr=False)
    signers: tuple[bytes, ...] = field(repr=False)


class LetterWorker:
    """Opens letters and has them taken in."""

    def __init__(
        self, units: Units, world: World, house: House, keyring: Keyring, workshop: Workshop, *, parallel: int
    ) -> None:
        """Open up to `parallel` letters at once; nothing is begun yet."""
        self._units = units
        self._world = world
        self._house = house
        self._keyring = keyring
        self._workshop = workshop
        self._parallel = parallel
        self._waiting: deque[int] = deque()
        self._busy: set[int] = set()
        self._choosing = asyncio.Lock()
        self._taking_in = asyncio.Lock()
        """One at a time: of one mail to two of our addresses, each sees what became of the other."""
        self._keyring_failures = 0
        self._told_of_master_key = False

    async def run(self) -> None:
        """Work for ever: at once when the bell rings, and by looking, as other processes ring none here."""
        async with asyncio.TaskGroup() as together:
            for _ in range(self._parallel):
                together.create_task(self._work_on())

    async def _work_on(self) -> None:
        while True:
            letter_id = await self._next()
            try:
                await self.work(letter_id)
            except StorageTrouble:
                log.warning("letters.storage_trouble", letter=letter_id)
                await asyncio.sleep(_STORAGE_PAUSE_SECONDS)
            finally:
                self._busy.discard(letter_id)

    async def _next(self) -> int:
        bell = self._units.bells.letters
        async with self._choosing:
            while not self._waiting:
                bell.clear()
                self._waiting.extend(await self._due())
                if not self._waiting:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(_POLL_SECONDS):
                            await bell.wait()
            letter_id = self._waiting.popleft()
            self._busy.add(letter_id)
            return letter_id

    async def _due(self) -> Sequence[int]:
        try:
            async with self._units() as unit:
                due = await unit.letters.due(self._world.now(), _BATCH + self._parallel)
        except StorageTrouble:
            log.warning("letters.storage_trouble")
            return []
        return [letter_id for letter_id in due if letter_id not in self._busy]

    async def work(self, letter_id: int) -> None:
        """Open one letter and have it taken in, or put aside with its reason.

        A letter that is done or not due is left alone. Raises StorageTrouble when it cannot be begun;
        once it is opened, a database that fails is waited for.
        """
        if not await self._begin(letter_id):
            return
        try:
            await self._go_on(letter_id)
        except (StorageTrouble, asyncio.CancelledError):
            # Neither the database nor a stop of the process is the letter's fault.
            await asyncio.shield(self._give_back(letter_id))
            raise

    async def _go_on(self, letter_id: int) -> None:
        try:
            sealed = await self._read(letter_id)
            opened = await self._workshop.run(_open, sealed, self._keyring)
        except Unopenable as why:
            await self._put_aside(letter_id, str(why))
        except KeyringUnusable as why:
            await self._postpone(letter_id, str(why))
        except SealBroken:
            await self._wait_for_master_key(letter_id)
        except StorageTrouble:
            raise
        except Exception as surprise:
            log.exception("letters.surprise", letter=letter_id, fault=type(surprise).__name__)
            await self._fail(letter_id)
        else:
            self._keyring_failures = 0
            await self._conclude(letter_id, opened)

    async def _begin(self, letter_id: int) -> bool:
        async with self._units() as unit:
            letter = await self._due_letter(unit, letter_id)
            if letter is None:
                return False
            if letter.tries >= MOST_TRIES:
                await intake.quarantine(self._desk(unit), letter, _OUR_FAULT)
                return False
            # Counted before the letter is touched: one that kills the process must not do so for ever.
            letter.tries += 1
            return True

    async def _read(self, letter_id: int) -> _Sealed:
        async with self._units() as unit:
            letter = await _letter(unit, letter_id)
            if letter.raw is None:
                raise LookupError(f"letter {letter_id} is empty")
            return _Sealed(letter.raw, letter.mail_from, await _signers(unit, letter.raw))

    async def _give_back(self, letter_id: int) -> None:
        with contextlib.suppress(StorageTrouble):
            async with self._units() as unit:
                letter = await _letter(unit, letter_id)
                if letter.state is LetterState.NEW:
                    letter.tries = max(0, letter.tries - 1)

    async def _due_letter(self, unit: Unit, letter_id: int) -> Letter | None:
        letter = await unit.letters.get(letter_id)
        is_due = letter is not None and letter.state is LetterState.NEW and letter.due_at <= self._world.now()
        return letter if is_due else None

    def _desk(self, unit: Unit) -> Desk:
        return Desk(unit, self._world, self._house)

    async def _conclude(self, letter_id: int, opened: Opened) -> None:
        while True:
            try:
                async with self._taking_in, self._units() as unit:
                    await intake.take_in(self._desk(unit), await _letter(unit, letter_id), opened)
            except StorageTrouble:
                log.warning("letters.storage_trouble", letter=letter_id)
                await asyncio.sleep(_STORAGE_PAUSE_SECONDS)
            except SealBroken:
                await self._wait_for_master_key(letter_id)
                return
            except Refusal as why:
                await self._put_aside(letter_id, str(why))
                return
            except Exception as surprise:
                log.exception("letters.surprise", letter=letter_id, fault=type(surprise).__name__)
                await self._fail(letter_id)
                return
            else:
                return

    async def _put_aside(self, letter_id: int, reason: str) -> None:
        async with self._units() as unit:
            await intake.quarantine(self._desk(unit), await _letter(unit, letter_id), reason)

    async def _fail(self, letter_id: int) -> None:
        async with self._units() as unit:
            letter = await _letter(unit, letter_id)
            if letter.tries >= MOST_TRIES:
                await intake.quarantine(self._desk(unit), letter, _OUR_FAULT)
            else:
                letter.due_at = self._world.now() + _PAUSE * letter.tries

    async def _postpone(self, letter_id: int, why: str) -> None:
        """It is not the letter's fault: it waits, and the operators hear of it once."""
        self._keyring_failures += 1
        doublings = min((self._keyring_failures - 1) // self._parallel, _MOST_DOUBLINGS)
        log.warning("letters.keyring_unusable", letter=letter_id)
        async with self._units() as unit:
            letter = await _letter(unit, letter_id)
            letter.tries -= 1
            letter.due_at = self._world.now() + min(_LONGEST_PAUSE, _PAUSE * (1 << doublings))
            if self._keyring_failures == 1:
                text = f"Letters cannot be opened: {why} They wait, and are tried again by themselves."
                await tell_operators(unit, self._world, text)

    async def _wait_for_master_key(self, letter_id: int) -> None:
        """Neither is this the letter's fault; its pause grows with its age, as others may open meanwhile."""
        log.warning("letters.seal_broken", letter=letter_id)
        async with self._units() as unit:
            letter = await _letter(unit, letter_id)
            letter.tries -= 1
            age = self._world.now() - letter.received_at
            letter.due_at = self._world.now() + min(_LONGEST_PAUSE, max(_PAUSE, age))
            if not self._told_of_master_key:
                await tell_operators(unit, self._world, _SEALED)
        self._told_of_master_key = True


async def _letter(unit: Unit, letter_id: int) -> Letter:
    letter = await unit.letters.get(letter_id)
    if letter is None:
        raise LookupError(f"letter {letter_id} is gone")
    return letter


async def _signers(unit: Unit, raw: bytes) -> tuple[bytes, ...]:
    """Return the keys known of the sender; one that a person must accept first counts for nothing."""
    found: dict[int, bytes] = {}
    for _, address in HeaderBlock(_head(raw)).addresses("from")[:1]:
        for key in await unit.keys.of(address_tag(unit.vault, address)):
            if key.state is not KeyState.CHANGED and key.armor is not None:
                found[key.id] = key.armor
    return tuple(found.values())


def _head(raw: bytes) -> bytes:
    ends = [at for at in (raw.find(b"\n\n"), raw.find(b"\r\n\r\n")) if at >= 0]
    return raw[: min(ends, default=HEADER_BYTES)]


def _open(sealed: _Sealed, keyring: Keyring) -> Opened:
    try:
        return open_letter(sealed.raw, keyring, signers=sealed.signers, mail_from=sealed.mail_from)
    except KeyRefused:
        # A key that GnuPG does not take any more proves nothing, and must not keep the letter shut.
        return open_letter(sealed.raw, keyring, mail_from=sealed.mail_from)
