# SPDX-License-Identifier: AGPL-3.0-or-later
"""What must not be told in an answer, as who gets it may not have been able to read it.

Somebody who has caught a ciphertext sends it on and hopes for an answer that tells what stands in it
("Re: What's Up Johnny?", Müller and others, 2019).
"""

from desk.letters.opened import EncryptionState
from desk.tickets.details import DraftDetails, LetterDetails
from desk.world import Refusal
from storage.models import Message, MessageKind, Ticket
from storage.unit import Unit

_WHOLE = frozenset({EncryptionState.NONE, EncryptionState.OK})
_ADDRESSES = frozenset({"From", "Reply-To"})
"""Headers that say where an answer goes."""
LONGEST_LIKENESS = 23
"""Letters and digits in a row that two people may have in common by chance, as in a farewell."""
_SHORTEST_SUBJECT = 8
"""Letters and digits; a shorter subject is a word that anybody may use."""


def refuse_quoting(message: Message) -> None:
    """Raise Refusal unless the user's words can be told to where the answer goes."""
    why = _why_not(message)
    if why:
        raise Refusal(f"Not quoted: {why}")


def hides_subject(message: Message) -> bool:
    """Tell whether the subject of a user's letter must not stand in an answer to it."""
    details = LetterDetails.load(message)
    is_inner = details.inner_subject
    if is_inner is None:
        is_inner = details.encryption_state == EncryptionState.OK
    is_theirs = not _is_diverted(details) and _is_theirs(message, details)
    return details.replayed or (is_inner and not is_theirs)


async def refuse_what_became_bait(unit: Unit, draft: Message) -> None:
    """Raise Refusal when an answer tells of a letter what has turned out meanwhile not to be told."""
    known = DraftDetails.load(draft)
    letters = [each for each in await unit.messages.of(draft.ticket) if each.kind is MessageKind.IN]
    quoted = [each for each in letters if known.quote and each.id == draft.base_id]
    for each in quoted:
        why = _why_not(each)
        if why:
            raise Refusal(f"Not sent: it quotes what must not be quoted. {_sentence(why)} {_ANEW}")
    if letters and known.tells_subject and hides_subject(letters[0]):
        raise Refusal(
            f"Not sent: its subject is that of a letter that this address may not be able to read. {_ANEW}"
        )


def _why_not(message: Message) -> str:
    details = LetterDetails.load(message)
    if details.encryption_state not in _WHOLE or details.unprotected_text:
        return _BESIDE
    if details.replayed:
        return _REPLAYED
    if details.relayed:
        return _RELAYED
    if _is_diverted(details):
        return _DIVERTED
    if not details.from_contact:
        return _FROM_OTHERS
    return "" if _is_theirs(message, details) else _NOT_THEIRS


def _is_diverted(details: LetterDetails) -> bool:
    return bool(_ADDRESSES & set(details.mismatch))


def _is_theirs(message: Message, details: LetterDetails) -> bool:
    """Whether what was encrypted is known to be of the one who gets the answer; clear text hides nothing."""
    if details.encryption_state == EncryptionState.NONE:
        return True
    writer, contact = details.writer or "", message.ticket.contact or ""
    return bool(writer) and writer.casefold() == contact.casefold()


def _sentence(why: str) -> str:
    return why[0].upper() + why[1:]


_ANEW = "`!cancel` it, and write it again."
_OWN_WORDS = "Answer in your own words."
_BESIDE = (
    f"some of the user's last message stood outside its encryption, or it is not known whether. {_OWN_WORDS}"
)
_REPLAYED = "this ciphertext came more than once. Answer without telling what stands in it."
_RELAYED = f"who wrote the last message is the word of the list that relayed it. {_OWN_WORDS}"
_DIVERTED = (
    "in the last message, the address where the answer goes is another outside than inside its protection. "
    f"{_OWN_WORDS}"
)
_FROM_OTHERS = "the last message did not come from the ticket's address, where the answer goes."
_NOT_THEIRS = (
    "nothing that was encrypted in the last message, and no good signature, shows that the ticket's address "
    f"has written it: somebody may hope to be told what they cannot read. {_OWN_WORDS}"
)


async def refuse_repeating(unit: Unit, ticket: Ticket, text: str) -> None:
    """Raise Refusal when a text repeats words of the user's mails or a subject of theirs."""
    for message in await unit.messages.of(ticket):
        if message.kind is not MessageKind.IN:
            continue
        if repeats(text, message.text or "") or names(text, message.subject or ""):
            raise Refusal(
                "Not sent: with --plain only your own new words can leave, and these repeat what the user "
                "wrote. Say it in other words, without quoting."
            )


def repeats(text: str, theirs: str) -> bool:
    """Tell whether both hold the same letters in a row, whatever marks and blanks lie between."""
    own, size = _letters(text), LONGEST_LIKENESS + 1
    runs = {own[at : at + size] for at in range(len(own) - size + 1)}
    other = _letters(theirs)
    return any(other[at : at + size] in runs for at in range(len(other) if runs else 0))


def names(text: str, subject: str) -> bool:
    """Tell whether a text holds the whole subject."""
    wanted = _letters(subject)
    return len(wanted) >= _SHORTEST_SUBJECT and wanted in _letters(text)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))
