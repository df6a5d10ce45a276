# SPDX-License-Identifier: AGPL-3.0-or-later
"""A letter at one of the doors, before anything is known of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class IncomingMail:
    """One letter for one recipient, byte for byte; by LMTP with CRLF line ends."""

    mail_from: str
    """Envelope sender; empty for the null sender."""
    recipient: str
    queue: str
    token: str | None
    """What stands after the plus in the recipient."""
    raw: bytes = field(repr=False)


Keep = Callable[[IncomingMail], Awaitable[None]]
"""Returns when the letter is safe on disk; may be called again with the same letter."""


def is_empty(raw: bytes) -> bool:
    """Whether a letter has nothing but blank lines: nobody can write less, and no mail program does."""
    return not raw or raw.isspace()
