# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether all is well: each letter has become something, and no other process has taken the database."""

from desk.monitoring.accounting import check_yesterday
from helproom.features.feature import Feature, Task
from helproom.jobs.schedule import Job
from helproom.parts.parts import Parts
from storage.engine.single_use import watch


def wire(parts: Parts) -> Feature:
    """Return what checks sums, and who else uses the database."""
    place, sole_use = parts.place, parts.desk.sole_use

    async def check_sums() -> None:
        async with place.units() as unit:
            await check_yesterday(place.work(unit))

    async def watch_use() -> None:
        await watch(sole_use)

    return Feature(
        tasks=(Task("watch who uses the database", watch_use),),
        jobs=(Job("check the sums of letters", check_sums, is_daily=True),),
    )
