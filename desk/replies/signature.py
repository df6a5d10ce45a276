# SPDX-License-Identifier: AGPL-3.0-or-later
"""What stands below every answer, in the user's language: a role, and never the one who wrote it."""

from desk.context import Work
from desk.replies.templates import house_words
from storage.models import Ticket

SIGNATURE_TEMPLATE = "signature"
"""The template that agents write it in; without it, nothing stands there."""


async def with_signature(work: Work, ticket: Ticket, text: str) -> str:
    """Return the text, the signature below it (RFC 3676, 4.3); raises Refusal when it cannot be filled."""
    wording = await house_words(work, ticket, SIGNATURE_TEMPLATE)
    return text if wording is None else f"{text}\n\n-- \n{wording}"
