# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether an agent's words are the agent's own, or repeat what the user wrote."""

from desk.world import Refusal
from storage.models import MessageKind, Ticket
from storage.unit import Unit

LONGEST_LIKENESS = 23
"""Letters and digits in a row that two people may have in common by chance, as in a farewell."""
_SHORTEST_SUBJECT = 8
"""Letters and digits; a shorter subject is a word that anybody may use."""


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
