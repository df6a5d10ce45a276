# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters that were not taken in and lie in a mailbox outside, and who asked what comes of a letter."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, or_, select

from storage.models import Asker, LeftInMailbox, Letter, MailboxAction
from storage.queries.base import Queries
from storage.sealing.vault import Vault


@dataclass(frozen=True)
class LeftLetter:
    """A letter that lies outside; `size` in bytes."""

    letter_id: int
    queue: str
    """Empty when it is for no queue."""
    likeness: str = field(repr=False)
    size: int
    wish: MailboxAction | None


def likeness(vault: Vault, head: bytes) -> str:
    """Return by what a letter is known again that begins like this."""
    return vault.digest(b"likeness\0" + head)


def lies_outside() -> ColumnElement[bool]:
    """Return what holds of rows whose letters are not in the house."""
    return or_(LeftInMailbox.wish.is_(None), LeftInMailbox.wish != MailboxAction.PUT_AWAY)


class LeftLetters(Queries):
    """Named queries on what lies outside."""

    def place(self, mailbox: str, key: str) -> str:
        """Return what stands for a letter's digest as long as its bytes are not here."""
        return self._vault.digest(f"outside\0{mailbox}\0{key}".encode())

    async def is_known(self, place: str) -> bool:
        """Tell whether the letter at this place was noted before."""
        return await self._session.scalar(select(Letter.id).where(Letter.digest == place)) is not None

    async def of(self, letter_id: int) -> LeftInMailbox | None:
        """Return where a letter lies; None when it is in the house."""
        lies = await self.place_of(letter_id)
        return None if lies is None or lies.wish is MailboxAction.PUT_AWAY else lies

    async def place_of(self, letter_id: int) -> LeftInMailbox | None:
        """Return where a letter lies, or is still to be moved away from; None when it is in the house."""
        return await self._session.get(LeftInMailbox, letter_id)

    async def wished(self, mailbox: str) -> Sequence[LeftLetter]:
        """Return the letters in a mailbox with which something is to be done, oldest first."""
        query = (
            select(Letter.id, Letter.queue, LeftInMailbox.likeness, LeftInMailbox.size, LeftInMailbox.wish)
            .join(LeftInMailbox, LeftInMailbox.letter_id == Letter.id)
            .where(LeftInMailbox.mailbox == mailbox, LeftInMailbox.wish.is_not(None))
            .order_by(Letter.id)
        )
        return [LeftLetter(*row) for row in await self._session.execute(query)]

    async def forget(self, lies: LeftInMailbox) -> None:
        """Forget where a letter lay that is not there any more."""
        await self._session.delete(lies)

    async def ask(self, asker: Asker) -> None:
        """Remember where somebody waits to hear of a letter; who asked last is told."""
        await self._session.merge(asker)

    async def forget_asker(self, asker: Asker) -> None:
        """Forget who was told."""
        await self._session.delete(asker)

    async def asked(self, letter_id: int) -> Asker | None:
        """Return where somebody waits to hear of a letter."""
        return await self._session.get(Asker, letter_id)
