# SPDX-License-Identifier: AGPL-3.0-or-later
"""What all named queries work on: one transaction, the vault, and whom to wake after it."""

from dataclasses import dataclass, field
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from storage.sealing.vault import Vault

WakeUp = Literal["letters", "outbox", "journal", "holds", "rooms", "unreadable", "search"]
"""Who waits for committed work."""


@dataclass(frozen=True)
class Transaction:
    """An open transaction; `woken` are told once it is committed."""

    session: AsyncSession
    vault: Vault
    woken: set[WakeUp] = field(default_factory=set)


class Queries:
    """Named queries of one noun, in one transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._session = transaction.session
        self._vault = transaction.vault
        self._woken = transaction.woken

    async def _lock(self, tag: str) -> None:
        """Wait until no other unit holds this tag, and hold it until this one ends.

        For what may have no row yet that could be locked. SQLite has one writer at a time anyway.
        """
        if self._session.get_bind().dialect.name == "postgresql":
            number = int.from_bytes(bytes.fromhex(tag)[:8], signed=True)
            await self._session.execute(select(func.pg_advisory_xact_lock(number)))
