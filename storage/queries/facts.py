# SPDX-License-Identifier: AGPL-3.0-or-later
"""Named queries on single values."""

from storage.models import Fact
from storage.queries.base import Queries


class Facts(Queries):
    """Values by name, such as the sync token."""

    async def get(self, name: str) -> str | None:
        """Return a value, or None when it was never set."""
        fact = await self._session.get(Fact, name)
        return None if fact is None else fact.value

    async def set(self, name: str, value: str) -> None:
        """Set a value."""
        await self._session.merge(Fact(name=name, value=value))
