# SPDX-License-Identifier: AGPL-3.0-or-later
"""What becomes of letters that were refused before, when a person wants them fetched or deleted."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import structlog

from mail.inbound.envelope import Addressing, read_envelope
from mail.inbound.mailbox import Mailbox, MailboxTrouble, Outcome, Waiting
from mail.limits import LETTER_BYTES
from storage.engine.troubles import StorageTrouble
from storage.models import MailboxAction
from storage.queries.left_in_mailbox import LeftLetter
from storage.queries.letters import IncomingMail

log = structlog.get_logger()

InThread = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs what blocks beside the event loop."""
_GONE = "it is not in the folder for such letters there any more; somebody has moved or deleted it"

_FAULT = "internal error"


class MailboxActions(Protocol):
    """What is wanted of one mailbox; all of it may be said again after a stop in between."""

    async def waiting(self) -> Sequence[LeftLetter]:
        """Return the letters that people want fetched or deleted, oldest first."""

    def are_alike(self, lying: LeftLetter, head: bytes) -> bool:
        """Tell by a letter's first bytes whether it is the one that was noted."""

    async def bring_in(self, lying: LeftLetter, mail: IncomingMail) -> bool:
        """Take a letter in, to be moved then; False when nobody wants it any more."""

    async def give_up(self, lying: LeftLetter, reason: str) -> None:
        """Note why a letter cannot be had."""

    async def forget(self, lying: LeftLetter) -> None:
        """Note that a letter is deleted that nobody wants, or moved that was taken in."""


async def read_whole(
    mailbox: Mailbox, letter: Waiting, addressing: Addressing, in_thread: InThread
) -> IncomingMail | str | None:
    """Fetch a letter; return why it cannot be taken in, or None when it is gone."""
    if letter.size > LETTER_BYTES:
        return _too_large(letter.size)
    raw: bytes | None = await in_thread(lambda: mailbox.read(letter))
    if raw is None:
        return None
    if not raw.strip():
        return "it is empty"
    if len(raw) > LETTER_BYTES:
        return _too_large(len(raw))
    envelope = read_envelope(raw, addressing)
    if envelope is None:
        return "it is for none of the queues' addresses"
    return IncomingMail(envelope.queue, envelope.mail_from, envelope.token, raw)


def _too_large(size: int) -> str:
    return f"it has {size / 1_000_000:.1f} MB, and {LETTER_BYTES // 1_000_000} MB are the limit"


@dataclass(frozen=True)
class MailboxErrand:
    """One mailbox, and what is wanted of it."""

    mailbox: Mailbox
    wishes: MailboxActions
    addressing: Addressing
    in_thread: InThread

    async def run(self) -> None:
        """Do what people want with letters that were refused before.

        Raises MailboxTrouble and StorageTrouble; the mailbox is at its refused letters then.
        """
        wanted = await self.wishes.waiting()
        if not wanted:
            return
        there: list[Waiting] = await self.in_thread(self.mailbox.go_aside)
        for lying in wanted:
            try:
                letter = await self._find(lying, there)
                if letter is not None:
                    there.remove(letter)
                await self._fulfil(lying, letter)
            except (MailboxTrouble, StorageTrouble):
                raise
            except Exception as fault:  # noqa: BLE001 - the mailbox's other letters must not wait for this one
                log.error("letter not fetched", letter=lying.letter_id, fault=type(fault).__name__)  # noqa: TRY400
                await self.wishes.give_up(lying, _FAULT)
        await self.in_thread(self.mailbox.go_back)

    async def _find(self, lying: LeftLetter, there: Sequence[Waiting]) -> Waiting | None:
        for letter in (one for one in there if one.size == lying.size):
            head = await self.in_thread(partial(self.mailbox.head, letter))
            if head is not None and self.wishes.are_alike(lying, head):
                return letter
        return None

    async def _fulfil(self, lying: LeftLetter, letter: Waiting | None) -> None:
        if lying.wish is MailboxAction.TAKE:
            await self._fetch(lying, letter)
        else:
            await self._put_away(
                lying, letter, Outcome.DROPPED if lying.wish is MailboxAction.DROP else Outcome.KEPT
            )

    async def _put_away(self, lying: LeftLetter, letter: Waiting | None, outcome: Outcome) -> None:
        if letter is not None:
            await self.in_thread(partial(self.mailbox.put_away, letter, outcome))
        await self.wishes.forget(lying)

    async def _fetch(self, lying: LeftLetter, letter: Waiting | None) -> None:
        found: IncomingMail | str | None = None
        if letter is not None:
            own = replace(self.addressing, queue=lying.queue) if lying.queue else self.addressing
            found = await read_whole(self.mailbox, letter, own, self.in_thread)
        if not isinstance(found, IncomingMail):
            await self.wishes.give_up(lying, found or _GONE)
        elif letter is not None and await self.wishes.bring_in(lying, found):
            await self._put_away(lying, letter, Outcome.KEPT)
