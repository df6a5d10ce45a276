# SPDX-License-Identifier: AGPL-3.0-or-later
"""No query gets slower with each ticket that was ever closed: what it looks at is counted, not timed."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.engine.connect import open_engine
from storage.migrating import migrate
from storage.sealing.vault import Vault, new_master_key
from storage.unit import Units
from tests.services.postgres import Cluster
from tests.storage.growth.costs import Costs, RowsRead, StepsTaken
from tests.storage.growth.every_query import CALLS, LOOKS_AT_ALL, NO_QUERY, Call, called, queries
from tests.storage.growth.many_tickets import fill


class _Undone(Exception):
    """Ends a unit without a trace."""


@pytest.fixture(name="costs", params=[StepsTaken, RowsRead])
async def make_costs(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Costs]:
    """A database after twenty thousand tickets, and what each statement on it costs."""
    if request.param is StepsTaken:
        address = f"sqlite:///{tmp_path / 'helproom.db'}"
    else:
        cluster: Cluster = request.getfixturevalue("postgres")
        address = cluster.fresh()
    engine = open_engine(address)
    await migrate(engine)
    await fill(engine)
    yield request.param(engine)
    await engine.dispose()


def test_each_named_query_is_called_here() -> None:
    assert queries() == called() | NO_QUERY.keys()


async def test_no_query_costs_more_with_each_ticket_that_was_closed(costs: Costs) -> None:
    units = Units(costs.engine, Vault(new_master_key()))
    dear = {}
    for name, call in CALLS.items():
        costs.begin()
        with contextlib.suppress(_Undone):
            await _call_and_undo(units, call)
        if costs.worst.cost > costs.limit and name not in LOOKS_AT_ALL:
            dear[name] = str(costs.worst)
    assert not dear, "\n\n".join(f"{name}: {worst}" for name, worst in dear.items())


async def _call_and_undo(units: Units, call: Call) -> None:
    async with units() as unit:
        await call(unit)
        raise _Undone
