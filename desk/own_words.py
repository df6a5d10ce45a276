# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether an agent's words are the agent's own, or repeat what the user wrote."""

from desk.world import Refusal
from storage.models import Ticket
from storage.states import MessageKind
from storage.unit import Unit

LONGEST_LIKENESS = 20
"""Letters and digits in a row that two people may have in common by chance."""


async def refuse_repeating(unit: Unit, ticket: Ticket, text: str) -> None:
    """Raise Refusal when a text repeats words of the user's mails or of a subject of theirs."""
    for message in await unit.messages.of(ticket):
        theirs = f"{message.subject or ''} {message.text or ''}"
        if message.kind is MessageKind.IN and repeats(text, theirs):
            raise Refusal(
                "Not sent: with --plain only your own new words can leave, and these repeat what the user "
                "wrote. Say it in other words, without quoting."
            )


def repeats(text: str, theirs: str) -> bool:
    """Tell whether both hold the same letters in a row, whatever marks and blanks lie between."""
    own = _letters(text)
    runs = {own[at : at + LONGEST_LIKENESS] for at in range(len(own) - LONGEST_LIKENESS + 1)}
    other = _letters(theirs)
    return any(other[at : at + LONGEST_LIKENESS] in runs for at in range(len(other) if runs else 0))


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))
