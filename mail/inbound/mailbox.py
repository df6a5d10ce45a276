# SPDX-License-Identifier: AGPL-3.0-or-later
"""What all mailboxes have in common: letters that wait in them, and where letters go afterwards."""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

HEAD_BYTES = 64_000
"""So much of a letter is enough to know it again."""


class MailboxTrouble(Exception):
    """The mailbox cannot be used now; the text is a sentence for the sysadmin and names no person."""


class LoginRefused(MailboxTrouble):
    """The server does not let us in; trying often may lock the account."""


class NotPutAway(MailboxTrouble):
    """A letter cannot be moved or deleted; the mailbox works otherwise."""


class Outcome(Enum):
    """What became of a letter, which decides where it goes."""

    KEPT = "kept"
    REFUSED = "refused"
    DROPPED = "dropped"
    """Of one that was refused before: nobody wants it."""


@dataclass(frozen=True)
class Waiting:
    """A letter in a mailbox. `key` belongs to it alone as long as the mailbox exists; `size` in bytes."""

    key: str
    size: int


class Mailbox(Protocol):
    """Its methods block, so they are called in a thread, one at a time; only `hang_up` may come in between.

    All of them raise MailboxTrouble.
    """

    def open(self) -> None:
        """Get ready, anew after any trouble."""

    def waiting(self) -> list[Waiting]:
        """Return the letters that nobody has put away, oldest first."""

    def read(self, letter: Waiting) -> bytes | None:
        """Return a letter and change nothing of it; None when it is gone."""

    def head(self, letter: Waiting) -> bytes | None:
        """Return the first `HEAD_BYTES` of a letter, as `read`."""

    def go_aside(self) -> list[Waiting]:
        """Go to the folder of refused letters, and return them; what is called next is about these."""

    def go_back(self) -> None:
        """Go back to the folder to fetch from."""

    def put_away(self, letter: Waiting, outcome: Outcome) -> None:
        """Move or delete a letter; raises NotPutAway when only this fails."""

    def wait(self) -> None:
        """Return when there may be news."""

    def hang_up(self) -> None:
        """End what goes on in the thread, with MailboxTrouble or without; then comes `open` or `close`."""

    def close(self) -> None:
        """Let go of everything; never raises."""
