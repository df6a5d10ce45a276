# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a feature brings to a running desk, and how features are joined."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from desk.outbox.kinds import Kind
from desk.outbox.outcomes import Sender
from helproom.jobs.schedule import Job, Role


class Door(Protocol):
    """Where letters come in: it opens last, as what is told 250 there must meet a desk that works."""

    @property
    def port(self) -> int:
        """The TCP port it listens on; 0 for a Unix socket or when it is shut."""

    async def start(self) -> None:
        """Begin to listen. Raises OSError."""

    async def stop(self) -> None:
        """Take nothing more; may be called twice."""


@dataclass(frozen=True)
class Task:
    """What runs as long as the desk does, or ends when it is done."""

    name: str
    run: Callable[[], Awaitable[None]]
    role: Role = Role.WORKER


@dataclass(frozen=True)
class Feature:
    """One feature's share; all of it is optional."""

    carriers: Mapping[Kind, Sender] = field(default_factory=dict)
    """Who carries which outbox rows."""
    tasks: tuple[Task, ...] = ()
    jobs: tuple[Job, ...] = ()
    doors: tuple[Door, ...] = ()


def join(features: Iterable[Feature]) -> Feature:
    """Return all features as one.

    Raises TypeError when two carry the same kind of rows, or two jobs or tasks have the same name.
    """
    each = tuple(features)
    joined = Feature(
        dict(pair for feature in each for pair in feature.carriers.items()),
        tuple(task for feature in each for task in feature.tasks),
        tuple(job for feature in each for job in feature.jobs),
        tuple(door for feature in each for door in feature.doors),
    )
    _refuse_double("outbox rows are carried", (kind.name for feature in each for kind in feature.carriers))
    _refuse_double("jobs have a name", (job.name for job in joined.jobs))
    _refuse_double("tasks have a name", (task.name for task in joined.tasks))
    return joined


def _refuse_double(what: str, names: Iterable[str]) -> None:
    double = sorted(name for name, count in Counter(names).items() if count > 1)
    if double:
        raise TypeError(f"Twice {what}: {', '.join(double)}")
