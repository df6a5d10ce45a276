# SPDX-License-Identifier: AGPL-3.0-or-later
"""A furnished desk, on SQLite and on PostgreSQL in turn."""

from collections.abc import AsyncIterator

import pytest

from tests.desks import Desk, desk_at


@pytest.fixture
async def desk(shaped: str) -> AsyncIterator[Desk]:
    """A desk with rooms and agents, and no ticket yet."""
    async with desk_at(shaped) as opened:
        yield opened
