# SPDX-License-Identifier: AGPL-3.0-or-later
"""Named queries on letters."""

import contextlib
import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, and_, bindparam, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import undefer

from storage.models import Ciphertext, LeftInMailbox, Letter, LetterState
from storage.queries.base import Queries
from storage.queries.left_in_mailbox import lies_outside
from storage.sealing.vault import TagKind, address_tag


@dataclass(frozen=True)
class IncomingMail:
    """A mail as it was handed over for one recipient, byte for byte; by LMTP with CRLF line ends."""

    queue: str
    mail_from: str
    """Envelope sender; empty for the null sender."""
    token: str | None
    """What stands after the plus in the recipient."""
    raw: bytes = field(repr=False)


@dataclass(frozen=True)
class QuarantineEntry:
    """A letter in quarantine, as lists show it; `size` in bytes, sealed or as its mailbox tells it."""

    id: int
    queue: str
    """Empty when it is for no queue."""
    received_at: dt.datetime
    reason: str
    size: int
    mailbox: str | None = None
    """Where it lies; None when it is in the house."""


@dataclass(frozen=True)
class Copied:
    """A letter that came again, and the ticket it went into."""

    letter_id: int
    ticket_id: int | None


# Built once, as every letter asks so: to build it takes longer than to run it.
_MOST_LIKE = 20
_LIKE = (
    select(Letter.id, Letter.ticket_id)
    .where(
        Letter.same_tag == bindparam("tag"),
        Letter.id != bindparam("besides"),
        Letter.state.in_((LetterState.TICKET, LetterState.FOLLOW_UP)),
    )
    .order_by(Letter.id)
    .limit(_MOST_LIKE)
)


LONGEST_PAUSE = dt.timedelta(minutes=30)
"""How long a letter waits at most between two tries."""
LONGEST_TURN = dt.timedelta(days=1)
"""How long a letter waits at most until it is looked at again whether its turn has come."""
LEASE = dt.timedelta(minutes=30)
"""How long a worker has for the letters that it has begun: those that wait in it, too."""


class LeaseLost(Exception):
    """A letter is not this worker's any more: it was too slow, and another has begun it or decided on it."""


def _is_due(now: dt.datetime) -> ColumnElement[bool]:
    """A letter that is due later than any pause can last shows that the clock was set back since.

    One with a reason waits for its turn; the others wait between tries, or were never begun.
    """
    early = or_(Letter.begun_at.is_(None), Letter.due_at > now + LONGEST_PAUSE)
    waited = or_(
        Letter.due_at <= now,
        and_(Letter.reason.is_(None), early),
        Letter.due_at > now + LONGEST_TURN,
    )
    # Twice, so that a clock that is set back a little makes nobody begin what others work on.
    is_free = or_(
        Letter.leased_until.is_(None), Letter.leased_until <= now, Letter.leased_until > now + 2 * LEASE
    )
    return and_(Letter.state == LetterState.NEW, waited, is_free)


class Letters(Queries):
    """Letters, each sealed with a key of its own."""

    async def keep(self, mail: IncomingMail, *, ref: str, at: dt.datetime, source: str) -> int | None:
        """Keep a mail as a letter that came through the door `source`, and return its id.

        None when this queue and token have the same bytes already.
        """
        letter = Letter(ref=ref, received_at=at, due_at=at, source=source, state=LetterState.NEW, tries=0)
        digest = self._digest(mail)
        if await self._session.scalar(select(Letter.id).where(Letter.digest == digest)):
            return None
        letter.take_new_key(self._vault)
        self._fill(letter, mail, digest)
        try:
            async with self._session.begin_nested():
                self._session.add(letter)
        except IntegrityError:
            return None
        self._woken.add("letters")
        return letter.id

    async def note_outside(self, letter: Letter, lies: LeftInMailbox) -> None:
        """Keep a letter whose bytes stay in its mailbox; its digest stands for the place there."""
        letter.take_new_key(self._vault)
        self._session.add(letter)
        await self._session.flush()
        lies.letter_id = letter.id
        self._session.add(lies)

    async def bring_in(self, letter: Letter, mail: IncomingMail, at: dt.datetime) -> int | None:
        """Give a letter from outside its bytes, to be opened; return which one has them already."""
        digest = self._digest(mail)
        known = await self._session.scalar(select(Letter.id).where(Letter.digest == digest))
        if known is not None:
            return known
        self._fill(letter, mail, digest)
        letter.state, letter.tries, letter.due_at = LetterState.NEW, 0, at
        self._woken.add("letters")
        return None

    def _digest(self, mail: IncomingMail) -> str:
        place = f"{mail.queue}\0{mail.token or ''}\0{mail.mail_from}\0".encode("utf-8", "surrogateescape")
        return self._vault.digest(place + mail.raw)

    def _fill(self, letter: Letter, mail: IncomingMail, digest: str) -> None:
        letter.queue, letter.digest = mail.queue, digest
        letter.reply_tag = self._vault.tag(TagKind.REPLY_TOKEN, mail.token) if mail.token else None
        letter.sender_tag = address_tag(self._vault, mail.mail_from)
        letter.raw, letter.mail_from = mail.raw, mail.mail_from

    async def waiting(self, now: dt.datetime, limit: int) -> Sequence[tuple[int, int, int]]:
        """Return id, tries and sealed size in bytes of letters that wait to be opened, oldest first."""
        query = (
            select(Letter.id, Letter.tries, func.coalesce(func.length(Letter.raw_sealed), 0))
            .where(_is_due(now))
            .order_by(Letter.id)
            .limit(limit)
        )
        return [(row[0], row[1], row[2]) for row in await self._session.execute(query)]

    async def due(self, now: dt.datetime, letter_ids: Collection[int]) -> Sequence[Letter]:
        """Return those of the letters that are still to be opened, with their bytes, for this unit alone."""
        query = (
            select(Letter)
            .where(Letter.id.in_(letter_ids), _is_due(now))
            .order_by(Letter.id)
            .options(undefer(Letter.raw_sealed))
            .with_for_update(skip_locked=True)
        )
        return (await self._session.scalars(query)).all()

    def lease(self, letter: Letter, now: dt.datetime) -> None:
        """Count a try of a letter that is due, and keep others from beginning it for a while."""
        letter.tries += 1
        letter.leased_until = now + LEASE

    async def leased(self, letter_id: int, lease: dt.datetime | None) -> Letter:
        """Return a letter to decide on it: its lease ends in this unit, and no other changes it meanwhile.

        Raises LeaseLost.
        """
        letter = await self.get(letter_id, lock=True)
        if letter is None or letter.state is not LetterState.NEW or letter.leased_until != lease:
            raise LeaseLost
        letter.leased_until = None
        return letter

    async def give_back(self, letter_id: int, lease: dt.datetime | None) -> None:
        """Take back a lease and its try, unless it is lost."""
        with contextlib.suppress(LeaseLost):
            letter = await self.leased(letter_id, lease)
            letter.tries = max(0, letter.tries - 1)

    async def end_leases(self) -> None:
        """Free all letters that somebody had begun; the tries stay counted."""
        leased = and_(Letter.state == LetterState.NEW, Letter.leased_until.is_not(None))
        await self._session.execute(update(Letter).where(leased).values(leased_until=None))

    async def hold_same(self, same_tag: str) -> None:
        """Let deliveries of one mail be decided on one after the other, by whichever process."""
        await self._lock(same_tag)

    async def whole(self, letter_id: int) -> Letter | None:
        """Return one letter with its bytes; None when they were forgotten."""
        query = select(Letter).where(
            Letter.id == letter_id, Letter.raw_sealed.is_not(None), Letter.wrapped_key.is_not(None)
        )
        return await self._session.scalar(query.options(undefer(Letter.raw_sealed)))

    async def first_with(self, ciphertext: Ciphertext) -> Ciphertext:
        """Return what is known of a ciphertext; one that is new is kept and returned."""
        known = await self._session.get(Ciphertext, ciphertext.tag)
        if known is not None:
            return known
        try:
            async with self._session.begin_nested():
                self._session.add(ciphertext)
        except IntegrityError:
            # Another unit has met it at the same time, and was faster.
            return await self._session.get_one(Ciphertext, ciphertext.tag)
        return ciphertext

    async def get(self, letter_id: int, *, lock: bool = False) -> Letter | None:
        """Return one letter, without its bytes; with `lock` no other unit can change it meanwhile."""
        if not lock:
            return await self._session.get(Letter, letter_id)
        query = select(Letter).where(Letter.id == letter_id).with_for_update(key_share=True)
        return await self._session.scalar(query.execution_options(populate_existing=True))

    async def begun_since(self, since: dt.datetime, sender_tag: str | None = None) -> int:
        """Return how many letters were begun after a moment, of one sender or of all."""
        query = select(func.count()).select_from(Letter).where(Letter.begun_at > since)
        if sender_tag is not None:
            query = query.where(Letter.sender_tag == sender_tag)
        return await self._session.scalar(query) or 0

    async def held(self, reason: str, *, sender_tag: str | None = None, before: int | None = None) -> int:
        """Return how many letters wait for this reason: of all, of one sender, or older than one."""
        query = select(func.count()).select_from(Letter)
        query = query.where(Letter.state == LetterState.NEW, Letter.reason == reason)
        if sender_tag is not None:
            query = query.where(Letter.sender_tag == sender_tag)
        if before is not None:
            query = query.where(Letter.id < before)
        return await self._session.scalar(query) or 0

    async def like(self, same_tag: str, *, besides: int) -> Sequence[Copied]:
        """Return letters that went into tickets and are the same mail as `besides`, oldest first."""
        rows = await self._session.execute(_LIKE, {"tag": same_tag, "besides": besides})
        return [Copied(*row) for row in rows]

    async def aside(self, queue: str | None) -> Sequence[QuarantineEntry]:
        """Return the letters in quarantine, oldest first; of all queues when `queue` is None."""
        size = func.coalesce(func.length(Letter.raw_sealed), LeftInMailbox.size, 0)
        query = (
            select(
                Letter.id,
                Letter.queue,
                Letter.received_at,
                func.coalesce(Letter.reason, ""),
                size,
                LeftInMailbox.mailbox,
            )
            .outerjoin(LeftInMailbox, and_(LeftInMailbox.letter_id == Letter.id, lies_outside()))
            .where(Letter.state == LetterState.QUARANTINED)
            .order_by(Letter.id)
        )
        if queue is not None:
            query = query.where(Letter.queue == queue)
        return [QuarantineEntry(*row) for row in await self._session.execute(query)]

    async def raw(self, letter: Letter) -> bytes | None:
        """Return the bytes of a letter; None when they were forgotten."""
        await self._session.refresh(letter, ["raw_sealed"])
        return letter.raw

    async def counts(self) -> dict[LetterState, int]:
        """Return how many letters there are in each state."""
        query = select(Letter.state, func.count()).group_by(Letter.state)
        return {row[0]: row[1] for row in await self._session.execute(query)}
