# SPDX-License-Identifier: AGPL-3.0-or-later
"""Counts what statements look at: SQLite's steps, or the rows that PostgreSQL reads."""

import json
from dataclasses import dataclass
from typing import Any, ClassVar

from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine


@dataclass(frozen=True)
class Statement:
    """A statement, what it cost, and by which plan."""

    cost: int
    words: str
    plan: str

    def __str__(self) -> str:
        return f"{self.cost}\n{self.words}\n{self.plan}"


_NOTHING = Statement(0, "", "")


class Costs:
    """What the statements of an engine cost."""

    limit: ClassVar[int]

    def __init__(self, engine: AsyncEngine) -> None:
        """Count from now on."""
        self.engine = engine
        self.worst = _NOTHING
        event.listen(engine.sync_engine, "before_cursor_execute", self._before)
        event.listen(engine.sync_engine, "after_cursor_execute", self._after)

    def begin(self) -> None:
        """Forget what was counted."""
        self.worst = _NOTHING

    def _note(self, cost: int, words: str, plan: str) -> None:
        if cost > self.worst.cost:
            self.worst = Statement(cost, words, plan)

    def _before(self, connection: Connection, cursor: Any, words: str, parameters: Any, *_: Any) -> None:
        raise NotImplementedError

    def _after(self, connection: Connection, cursor: Any, words: str, parameters: Any, *_: Any) -> None:
        raise NotImplementedError


class StepsTaken(Costs):
    """Counts the steps of SQLite's virtual machine, a thousand at a time."""

    limit = 15
    """A look at each of 20,000 rows takes more than a hundred."""

    def _before(self, connection: Connection, _cursor: Any, words: str, _parameters: Any, *_: Any) -> None:
        self._steps = 0
        raw = connection.connection.driver_connection
        assert raw is not None
        raw._conn.set_progress_handler(self._step, 1000)

    def _step(self) -> int:
        self._steps += 1
        return 0

    def _after(self, connection: Connection, _cursor: Any, words: str, parameters: Any, *_: Any) -> None:
        steps = self._steps
        if steps > self.limit and not words.startswith("EXPLAIN"):
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {words}", parameters)
            self._note(steps, words, "\n".join(row[3] for row in plan))


class RowsRead(Costs):
    """Counts the rows that PostgreSQL reads; of a change, as many as it expects to."""

    limit = 2000

    def _before(self, connection: Connection, _cursor: Any, words: str, parameters: Any, *_: Any) -> None:
        if words.startswith("SELECT"):
            # It reads a small table as a whole, though it has an index for when it is large.
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            self._explain(connection, "EXPLAIN (ANALYZE, FORMAT JSON)", words, parameters)
        elif words.startswith(("UPDATE", "DELETE")):
            self._explain(connection, "EXPLAIN (FORMAT JSON)", words, parameters)

    def _explain(self, connection: Connection, how: str, words: str, parameters: Any) -> None:
        found = connection.exec_driver_sql(f"{how} {words}", parameters).scalar_one()
        plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
        self._note(_rows(plan), words, json.dumps(plan, indent=1))

    def _after(self, *_: Any) -> None:
        pass


def _rows(plan: dict[str, Any]) -> int:
    """Return how many rows are read below a node of a plan, or are expected to be."""
    rows = sum(map(_rows, plan.get("Plans", ())))
    if "Relation Name" in plan or "Index Name" in plan:
        each = plan.get("Actual Rows", plan["Plan Rows"])
        each += plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Index Recheck", 0)
        rows += int(each * plan.get("Actual Loops", 1))
    return rows
