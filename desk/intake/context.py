# SPDX-License-Identifier: AGPL-3.0-or-later
"""A letter on its way in, and what each step of intake works with."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from desk.config import Queue
from desk.context import Work
from desk.letters.opened import Opened
from storage.models import Letter, LetterState, Message, MessageKind


@dataclass(frozen=True)
class Arrival:
    """One letter, opened, at one queue."""

    letter: Letter
    opened: Opened
    queue: Queue
    same_id: Sequence[Message]
    """What is known under this letter's own Message-ID, newest first: copies of it, or mail of ours."""
    same_tag: str | None = None
    """The tag that all deliveries of this mail have; None when it cannot be told from others."""


Verdict = tuple[LetterState, str]
Step = Callable[[Work, Arrival], Awaitable[Verdict | None]]


def first(messages: Sequence[Message], kind: MessageKind) -> Message | None:
    """Return the first message of a kind."""
    return next((message for message in messages if message.kind is kind), None)
