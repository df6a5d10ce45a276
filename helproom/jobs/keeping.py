# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters from the doors of `mail` into the database: one unit each, synced before the door says so."""

import structlog

from desk.stopwatch import Stopwatch
from desk.world import World
from mail.inbound.lmtp import IncomingMail, Keep
from storage.queries.letters import NewLetter
from storage.unit import Units

log = structlog.get_logger()


def keeper(units: Units, world: World, source: str) -> Keep:
    """Return what a door calls for each letter; `source` is the door's name in the database."""

    async def keep(arrival: IncomingMail) -> None:
        stopwatch = Stopwatch()
        letter = new_letter(world, source, arrival)
        async with units() as unit:
            number = await unit.letters.keep(letter)
        log.info(
            "letter.kept",
            letter=number,
            came_again=number is None,
            door=source,
            queue=arrival.queue,
            bytes=len(arrival.raw),
            ms=stopwatch.ms,
        )

    return keep


def new_letter(world: World, source: str, arrival: IncomingMail) -> NewLetter:
    """Return a letter as the database wants it."""
    return NewLetter(
        ref=world.token(),
        received_at=world.now(),
        queue=arrival.queue,
        source=source,
        raw=arrival.raw,
        mail_from=arrival.mail_from,
        token=arrival.token,
    )
