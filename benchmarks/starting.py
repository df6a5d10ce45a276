# SPDX-License-Identifier: AGPL-3.0-or-later
"""From the start of the process to its being ready, with many tickets in the database."""

import asyncio
import statistics
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.program import configured, database, plan, program
from helproom.world import real_world
from storage.queries.tickets import NewTicket
from tests.services.synapse import Homeserver, lay_site
from tests.worlds.matrix import Plan

TICKETS = 10_000
A_UNIT = 500
STARTS = 5
TARGET_SECONDS = 3.0


def measure(folder: Path) -> Iterator[Figure]:
    """Start the desk a few times with nothing in it, then with many tickets."""
    with Homeserver(lay_site(folder / "synapse")) as homeserver:
        yield asyncio.run(_measure(plan(folder, homeserver)))


async def _measure(wanted: Plan) -> Figure:
    async with configured(wanted) as config:
        async with program(config):
            await asyncio.sleep(3)
        empty = await _starts(config)
        await _fill(config)
        full = await _starts(config)
    name = f"start to ready with {TICKETS} tickets / {TARGET_SECONDS:.0f} s"
    took = statistics.median(full)
    more: dict[str, float | str] = {"without_tickets": statistics.median(empty)}
    return Figure(name, took / TARGET_SECONDS, 1.0, took, TARGET_SECONDS, "s", STARTS, more=more)


async def _starts(config: Path) -> list[float]:
    found = []
    for _ in range(STARTS):
        async with program(config) as running:
            found.append(running.start_seconds)
    return found


async def _fill(config: Path) -> None:
    async with database(config) as (_, units):
        for begin in range(0, TICKETS, A_UNIT):
            async with units() as unit:
                for number in range(begin, begin + A_UNIT):
                    await unit.tickets.add(_ticket(number))


def _ticket(number: int) -> NewTicket:
    world = real_world()
    return NewTicket(
        ref=world.token(),
        queue="en",
        mailbox="en",
        language="en",
        language_confidence=None,
        opened_at=world.now(),
        confidential=True,
        encryption="ok",
        signature="none",
        kind="e-mail",
        contact=f"user{number}@user.example",
        subject=f"Question {number}",
    )
