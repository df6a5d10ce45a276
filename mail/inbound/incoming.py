# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the doors do with a letter, before anything is known of it."""

from collections.abc import Awaitable, Callable

from storage.queries.letters import IncomingMail

Keep = Callable[[IncomingMail], Awaitable[None]]
"""Returns when the letter is safe on disk; may be called again with the same letter."""


def is_empty(raw: bytes) -> bool:
    """Whether a letter has nothing but blank lines: nobody can write less, and no mail program does."""
    return not raw or raw.isspace()
