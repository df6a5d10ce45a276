# SPDX-License-Identifier: AGPL-3.0-or-later
"""The bot's name and picture: given once, where it has none; what an admin chose stays."""

from pathlib import Path

import structlog

from bot.errors import Rejected
from bot.rooms.rooms import Rooms
from storage.unit import Units

log = structlog.get_logger()

NAME = "Help desk"
PICTURE = Path(__file__).with_name("picture.png")
_DONE = "profile given"


async def show_face(rooms: Rooms, units: Units) -> None:
    """Give the bot a display name and a picture, at its first start only. Raises TryLater or SessionGone."""
    async with units() as unit:
        if await unit.facts.get(_DONE) is not None:
            return
    try:
        shown = await rooms.profile()
        # A fresh account has its user name for a display name, or none.
        if shown.get("displayname") in (None, "", _local_part(rooms.own_id)):
            await rooms.set_profile("displayname", NAME)
        if not shown.get("avatar_url"):
            await rooms.set_profile("avatar_url", await rooms.upload_picture(PICTURE.read_bytes()))
    except Rejected as why:
        log.warning("profile.refused", code=why.code)
        return
    async with units() as unit:
        await unit.facts.set(_DONE, "yes")


def _local_part(user_id: str) -> str:
    return user_id[1:].partition(":")[0]
