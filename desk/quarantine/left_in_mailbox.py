# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters that were refused at fetching: they stay in their mailbox, and are in quarantine here."""

import datetime as dt
from dataclasses import dataclass, field

from desk.context import Work
from desk.outbox.posts import ago, tell_operators
from desk.quarantine import askers
from storage.models import LeftInMailbox, Letter, LetterState, MailboxAction
from storage.queries.left_in_mailbox import LeftLetter, likeness
from storage.queries.letters import IncomingMail
from storage.unit import Unit


@dataclass(frozen=True)
class RefusedLetter:
    """A letter that is not taken in, and why; `key` tells it from all others of its mailbox."""

    mailbox: str
    key: str
    reason: str
    size: int
    """In bytes, as the mailbox tells it."""
    source: str = ""
    """The name of the mailbox's door."""
    queue: str = ""
    """For which queue it is; empty when for none, or nobody can tell."""
    head: bytes = field(default=b"", repr=False)
    """Its first bytes, by which it is found again."""


async def note_refused(work: Work, refused: RefusedLetter) -> None:
    """Put a refused letter into quarantine, though its bytes stay outside; it is told and counted once."""
    place = work.unit.outside.place(refused.mailbox, refused.key)
    if await work.unit.outside.is_known(place):
        return
    now = work.world.now()
    letter = Letter(
        ref=work.world.token(),
        received_at=now,
        queue=refused.queue,
        source=refused.source,
        digest=place,
        state=LetterState.QUARANTINED,
        reason=refused.reason,
        tries=0,
        due_at=now,
    )
    lies = LeftInMailbox(
        mailbox=refused.mailbox,
        likeness=likeness(work.unit.vault, refused.head),
        size=refused.size,
        wish=None,
    )
    await work.unit.letters.note_outside(letter, lies)
    text = (
        f"A letter in mailbox {refused.mailbox} was not taken in: {refused.reason}. It is moved to the "
        f"folder for such letters there, and is letter {letter.id} in quarantine: "
        f"`!quarantine show {letter.id}`."
    )
    await tell_operators(work, text)


def words_of(letter: Letter, lies: LeftInMailbox, now: dt.datetime) -> str:
    """Return all that is known of a letter that lies outside; its sender and subject stay there."""
    number = letter.id
    said = (
        f"Letter {number}, in quarantine, {ago(letter.received_at, now)} old: {letter.reason}\n"
        f"It lies in mailbox {lies.mailbox}, in the folder for letters that were not taken in. "
        f"Size: {lies.size} bytes. Queue: {letter.queue or 'none'}.\n"
        f"`!quarantine recheck {number}` fetches it again, for when a limit or the queues' addresses have "
        f"changed; `!quarantine release {number}` takes it in whatever it is; `!quarantine drop {number}` "
        "deletes it there. To read it first, use a mail program."
    )
    return f"{said}\nIt is being fetched." if lies.wish is MailboxAction.TAKE else said


def fetch(letter: Letter, lies: LeftInMailbox) -> str:
    """Have a letter fetched from outside; return what to say."""
    lies.wish = MailboxAction.TAKE
    return f"Letter {letter.id} is fetched from mailbox {lies.mailbox} at the next look into it."


async def bring_in(work: Work, lying: LeftLetter, mail: IncomingMail) -> bool:
    """Take in the bytes of a letter from outside; False when nobody wants that any more.

    It is noted that the letter has to be moved there, until `forget`.
    """
    letter = await work.unit.letters.get(lying.letter_id, lock=True)
    lies = await work.unit.outside.of(lying.letter_id)
    if letter is None or lies is None or lies.wish is not MailboxAction.TAKE:
        return False
    lies.wish = MailboxAction.PUT_AWAY
    known = await work.unit.letters.bring_in(letter, mail, work.world.now())
    if known is not None:
        letter.state, letter.reason = LetterState.DROPPED, f"the same mail came before, as letter {known}"
        await askers.answer(work, letter)
    return True


async def give_up(work: Work, lying: LeftLetter, reason: str) -> None:
    """Leave a letter outside that cannot be fetched all the same, and say why to who asked for it."""
    letter = await work.unit.letters.get(lying.letter_id, lock=True)
    lies = await work.unit.outside.of(lying.letter_id)
    if letter is None or lies is None or lies.wish is not MailboxAction.TAKE:
        return
    lies.wish, letter.reason, letter.released_by, letter.ticket_id = None, reason, None, None
    words = f"Letter {letter.id} stays in mailbox {lies.mailbox}, in quarantine: {reason}."
    if not await askers.say_to_asker(work, letter, words):
        await tell_operators(work, words)


async def forget(unit: Unit, lying: LeftLetter) -> None:
    """Note that a letter is gone from where it lay: dropped or moved, by our doing or anybody's."""
    lies = await unit.outside.place_of(lying.letter_id)
    if lies is not None and lies.wish in {MailboxAction.DROP, MailboxAction.PUT_AWAY}:
        await unit.outside.forget(lies)
