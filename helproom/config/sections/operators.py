# SPDX-License-Identifier: AGPL-3.0-or-later
"""Those who run Helproom."""

from pydantic import Field

from helproom.config.sections.section import Line, Section
from helproom.config.values import RoomId, UserId


class OperatorsSection(Section):
    """The room that hears first what is wrong."""

    room: RoomId | None = None
    room_name: Line = "Helproom operators"
    admins: tuple[UserId, ...] = Field(min_length=1, description="the user ids of those who run Helproom")
