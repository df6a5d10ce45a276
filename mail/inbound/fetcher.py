# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters out of a mailbox: each is kept first and put away afterwards; whatever breaks is tried again."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import structlog

from desk.monitoring.mail_arrivals import MailboxHealth
from desk.quarantine.left_in_mailbox import RefusedLetter
from desk.world import World
from mail.inbound.envelope import Addressing, read_envelope
from mail.inbound.incoming import Keep
from mail.inbound.mailbox import LoginRefused, Mailbox, MailboxTrouble, NotPutAway, Outcome, Waiting
from mail.inbound.retrieval import MailboxActions, MailboxErrand, read_whole
from storage.engine.troubles import StorageTrouble
from storage.queries.letters import IncomingMail

log = structlog.get_logger()
T = TypeVar("T")

_LONGEST_PAUSE = 300.0
_MORE_PATIENCE = 6
"""Times as long between logins that are refused, as these may lock the account."""
_CLOSE_SECONDS = 3.0
_MANY_TRIES = 3
"""From here on, a letter that cannot be done with counts as trouble of its mailbox."""
_MOST_DOUBLINGS = 10


Refuse = Callable[[RefusedLetter], Awaitable[None]]
"""Returns when it is safely noted that a letter was refused; may be called again with the same letter."""


@dataclass(frozen=True)
class FetcherParts:
    """What happens to letters, and where it is shown that the mailbox is looked into."""

    addressing: Addressing
    keep: Keep
    refuse: Refuse
    pulse: MailboxHealth
    wishes: MailboxActions | None = None
    """What people want done with letters that were refused before."""
    first_pause: float = 5.0
    """Seconds after a failure; each further one doubles it, up to five minutes."""


class Fetcher:
    """Empties one mailbox for as long as it runs."""

    def __init__(self, mailbox: Mailbox, doing: FetcherParts, world: World) -> None:
        """Nothing is opened yet."""
        self._mailbox = mailbox
        self._doing = doing
        self._world = world
        self._settled: dict[str, Outcome] = {}
        """Letters that are kept or refused, and could not be put away."""
        self._tries: Counter[str] = Counter()
        """How often each letter that is still there was tried."""
        self._failures = 0
        self._thread = ThreadPoolExecutor(1, f"mailbox-{doing.pulse.mailbox}")

    async def run(self) -> None:
        """Fetch letters until cancelled."""
        try:
            while True:
                pause = await self._try()
                await asyncio.sleep(pause)
        finally:
            closed = self._thread.submit(self._mailbox.close)
            self._thread.shutdown(wait=False)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.wrap_future(closed), _CLOSE_SECONDS)

    async def _try(self) -> float:
        """Fetch until something breaks; return for how many seconds to leave the mailbox alone."""
        shortest = self._doing.first_pause
        try:
            await self._session()
        except LoginRefused as trouble:
            shortest *= _MORE_PATIENCE
            said = str(trouble)
        except (MailboxTrouble, StorageTrouble) as trouble:
            said = str(trouble)
        except Exception as fault:  # noqa: BLE001 - a mailbox must not take the whole desk down
            said = f"Helproom's own code fails on it ({type(fault).__name__})."
        self._doing.pulse.trouble = said
        log.warning("mailbox.trouble", mailbox=self._doing.pulse.mailbox, trouble=said)
        pause = min(_LONGEST_PAUSE, shortest * 2.0 ** min(self._failures, _MOST_DOUBLINGS))
        self._failures += 1
        return pause

    async def _session(self) -> None:
        try:
            await self._in_thread(self._mailbox.open)
            while True:
                await self._take_all()
                if self._doing.wishes is not None:
                    await self._run_errand(self._doing.wishes)
                self._beat()
                await self._in_thread(self._mailbox.wait)
        finally:
            # The thread may still be in the middle of something, which this ends.
            self._mailbox.hang_up()

    async def _run_errand(self, wishes: MailboxActions) -> None:
        await MailboxErrand(self._mailbox, wishes, self._doing.addressing, self._in_thread).run()

    def _beat(self) -> None:
        self._failures = 0
        self._doing.pulse.at = self._world.now()
        self._doing.pulse.trouble = ""

    async def _take_all(self) -> None:
        """Settle every letter and put it away; one that makes trouble does not hold up those behind it."""
        there = await self._in_thread(self._mailbox.waiting)
        self._forget_all_but({one.key for one in there})
        # A letter on which the line breaks must not be the first again.
        there.sort(key=lambda one: self._tries[one.key])
        is_stuck = any(tries >= _MANY_TRIES for tries in self._tries.values())
        left: dict[str, None] = {}
        for letter in there:
            try:
                await self._take(letter)
                if not left and not is_stuck:
                    # A long backlog is no silence.
                    self._doing.pulse.at = self._world.now()
            except NotPutAway as trouble:
                left[f"A letter was settled and cannot be moved away: {trouble}"] = None
            except (MailboxTrouble, StorageTrouble):
                raise
            except Exception as fault:  # noqa: BLE001 - whatever breaks here, the others must be fetched
                log.error("letter not kept", fault=type(fault).__name__)  # noqa: TRY400 - it may name people
                left["A letter cannot be kept because of a fault in Helproom."] = None
        if left:
            raise MailboxTrouble(" ".join(left))

    def _forget_all_but(self, there: set[str]) -> None:
        """A key that is gone was put away by somebody, or belongs to a mailbox that was made anew."""
        self._settled = {key: outcome for key, outcome in self._settled.items() if key in there}
        self._tries = Counter({key: tries for key, tries in self._tries.items() if key in there})

    async def _take(self, letter: Waiting) -> None:
        self._tries[letter.key] += 1
        outcome = self._settled.get(letter.key) or await self._settle(letter)
        if outcome is None:
            return
        self._settled[letter.key] = outcome
        await self._in_thread(lambda: self._mailbox.put_away(letter, outcome))
        del self._settled[letter.key]

    async def _settle(self, letter: Waiting) -> Outcome | None:
        """Keep or refuse a letter; None when somebody else took it away."""
        found = await read_whole(self._mailbox, letter, self._doing.addressing, self._in_thread)
        if found is None:
            return None
        if isinstance(found, IncomingMail):
            await self._doing.keep(found)
            return Outcome.KEPT
        return await self._refuse(letter, found)

    async def _refuse(self, letter: Waiting, reason: str) -> Outcome | None:
        head = await self._in_thread(lambda: self._mailbox.head(letter))
        if head is None:
            return None
        envelope = read_envelope(head, self._doing.addressing)
        queue = envelope.queue if envelope is not None else ""
        await self._doing.refuse(
            RefusedLetter(self._doing.pulse.mailbox, letter.key, reason, letter.size, queue=queue, head=head)
        )
        return Outcome.REFUSED

    async def _in_thread(self, step: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, step)
