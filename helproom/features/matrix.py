# SPDX-License-Identifier: AGPL-3.0-or-later
"""Rooms: what is said there is heard and acted on, and what the desk says is carried there."""

import asyncio

import structlog

from bot.desk.doorkeeping import Doorkeeper
from bot.errors import TryLater
from bot.http.pause import Pause
from bot.rooms.homes import HomeKeeper
from bot.rooms.profile import show_face
from bot.rooms.replacement import Successors
from helproom.config.homes import homes_of
from helproom.features.feature import Feature, Task
from helproom.jobs.schedule import LOOK_ANYHOW, Job, Role
from helproom.parts.parts import Parts
from helproom.world import real_jitter

_REFUSED_PAUSE = 600.0
"""Seconds until it is tried again to make a room that the homeserver has refused."""

log = structlog.get_logger()


def wire(parts: Parts) -> Feature:
    """Return what hears, answers, and keeps the rooms in order."""
    matrix = parts.matrix
    homes = homes_of(parts.settings)
    successors = Successors(parts.place, matrix.rooms, matrix.members, homes)
    pause = Pause(jitter=real_jitter)
    doorkeeper = Doorkeeper(parts.place, matrix.rooms, matrix.members, successors, pause=pause)

    async def settle() -> None:
        await _settle(parts)

    async def keep_door() -> None:
        await doorkeeper.run(matrix.journal)

    unreadable = parts.desk.units.wake_ups.unreadable
    hint = Job(
        "hint at unreadable messages",
        matrix.worker.hint_undecryptable,
        LOOK_ANYHOW,
        unreadable,
        role=Role.BOT,
    )
    return Feature(
        carriers=matrix.room_senders.table(),
        tasks=(
            Task("sync", matrix.syncer.run, Role.BOT),
            Task("act on what was said", matrix.worker.run, Role.BOT),
            Task("settle rooms", settle, Role.BOT),
            Task("heed who comes and goes", keep_door, Role.BOT),
        ),
        jobs=(hint,),
    )


async def _settle(parts: Parts) -> None:
    """Make the lasting rooms and remove strangers, however long the homeserver takes to be well."""
    pause = Pause(jitter=real_jitter)
    matrix, wanted = parts.matrix, parts.settings.matrix
    keeper = HomeKeeper(
        parts.place,
        matrix.rooms,
        homes_of(parts.settings),
        version=wanted.room_version,
        federate=wanted.federate,
    )
    while True:
        try:
            await matrix.members.tidy_all()
            await show_face(matrix.rooms, parts.desk.units)
            if await keeper.settle():
                return
        except TryLater as trouble:
            log.warning("homes.later", reason=str(trouble))
            await pause.wait(trouble.after)
        else:
            await asyncio.sleep(_REFUSED_PAUSE)
