# SPDX-License-Identifier: AGPL-3.0-or-later
"""Times of duty."""

from pydantic import Field

from desk.config import Shift
from helproom.config.sections.section import Section
from helproom.config.values import Clock, Days, Name, UserId, Zone


class ShiftSection(Section):
    """A weekly time of duty."""

    who: UserId = Field(description="the user id of whoever is on duty")
    days: Days = Field(description="the days, such as mon-fri")
    start: Clock = Field(alias="from", description="the time at which the shift begins")
    end: Clock = Field(alias="to", description="the time at which the shift ends")
    zone: Zone = Field(description="the time zone, such as Europe/Paris")
    queues: tuple[Name, ...] = ()

    def to_desk(self) -> Shift:
        """Return the shift as the desk knows it."""
        return Shift(
            user_id=self.who,
            weekdays=self.days,
            start=self.start,
            end=self.end,
            zone=self.zone,
            queues=frozenset(self.queues),
        )
