# SPDX-License-Identifier: AGPL-3.0-or-later
"""Long words: their head for the room, and all of them as a file."""

from dataclasses import dataclass

from desk.outbox.posts import File

HEAD_LINES = 40
HEAD_CHARS = 4_000


@dataclass(frozen=True)
class Head:
    """What is shown of a text; `missing` characters of it are in the file only."""

    words: str
    missing: int = 0
    file: File | None = None


def head_of(words: str, name: str, *, lines: int | None = HEAD_LINES) -> Head:
    """Return the head of a text and, when that is not all, the whole as a file called `name`."""
    head = "\n".join(words.split("\n")[:lines])[:HEAD_CHARS]
    if head == words:
        return Head(words)
    return Head(head, len(words) - len(head), File(name, words))


def in_file(head: Head) -> str:
    """Return a line of ours about what is missing; empty when nothing is."""
    return f"\n({head.missing} more characters are in the file below.)" if head.file else ""
