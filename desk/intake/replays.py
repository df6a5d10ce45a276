# SPDX-License-Identifier: AGPL-3.0-or-later
"""Ciphertexts that come from several senders, of whom one may only hope to be told what stands in them."""

from dataclasses import replace

from desk.context import Work
from desk.letters.opened import Opened
from desk.outbox.posts import say_in_thread
from desk.tickets.details import LetterDetails
from desk.tickets.locks import locked
from storage.models import Ciphertext, Letter
from storage.sealing.vault import TagKind, address_tag

_AGAIN = (
    "The same ciphertext came from somebody else, too; the first time on {date}. Who sent this letter may "
    "not be able to read it: answer without telling what stands in it."
)
_AGAIN_LATER = (
    "The letter of {date} came again, as the same ciphertext and from somebody else. Nobody knows which of "
    "the two can read it: answer without telling what stands in it. It is not quoted any more, and its "
    "subject is left out."
)


async def with_warning(work: Work, letter: Letter, opened: Opened, contact: str | None) -> Opened:
    """Keep what was opened in mind, and warn where another contact sends it, too.

    Which letter came first tells nothing of who can read it, so that both are marked. So is one that the same
    address sends again, without a warning: only the first is found when another sender comes.
    """
    warnings, is_again = [], False
    contact_tag = address_tag(work.unit.vault, contact) if contact else None
    for digest in opened.sessions:
        tag = work.unit.vault.tag(TagKind.SESSION_KEY, digest)
        seen = Ciphertext(tag=tag, letter_id=letter.id, contact_tag=contact_tag, seen_at=work.world.now())
        first = await work.unit.letters.first_with(seen)
        is_again = is_again or first.letter_id != letter.id
        if first.letter_id != letter.id and first.contact_tag != contact_tag:
            warnings.append(_AGAIN.format(date=f"{first.seen_at:%Y-%m-%d}"))
            await _mark_first(work, first)
    if not is_again:
        return opened
    return replace(opened, problems=(*opened.problems, *dict.fromkeys(warnings)), is_replayed=True)


async def _mark_first(work: Work, first: Ciphertext) -> None:
    """Mark the first letter once, and let the ciphertext be nobody's: whatever brings it is suspect by now.

    So it is for the first letter, too, when it is taken out of quarantine or opened again.
    """
    letter_id, first.letter_id, first.contact_tag = first.letter_id, None, None
    number = await work.unit.messages.of_letter(letter_id) if letter_id is not None else None
    message = await locked(work.unit, number) if number is not None else None
    if message is None:
        return
    known = LetterDetails.load(message)
    if known.replayed:
        return
    warning = _AGAIN.format(date=f"{first.seen_at:%Y-%m-%d}")
    LetterDetails.change(message, replayed=True, problems=tuple(dict.fromkeys((*known.problems, warning))))
    told = _AGAIN_LATER.format(date=f"{message.at:%Y-%m-%d %H:%M} UTC")
    await say_in_thread(work, message.ticket, told)
