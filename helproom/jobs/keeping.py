# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters from the doors of `mail` into the database: one unit each, synced before the door says so."""

import structlog

from desk.stopwatch import Stopwatch
from desk.world import World
from mail.inbound.incoming import Keep
from storage.queries.letters import IncomingMail
from storage.unit import Units

log = structlog.get_logger()


def keeper(units: Units, world: World, source: str) -> Keep:
    """Return what a door calls for each letter; `source` is the door's name in the database."""

    async def keep(mail: IncomingMail) -> None:
        stopwatch = Stopwatch()
        async with units() as unit:
            number = await unit.letters.keep(mail, ref=world.token(), at=world.now(), source=source)
        log.info(
            "letter.kept",
            letter=number,
            came_again=number is None,
            door=source,
            queue=mail.queue,
            bytes=len(mail.raw),
            ms=stopwatch.ms,
        )

    return keep
