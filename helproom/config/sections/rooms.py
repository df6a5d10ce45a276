# SPDX-License-Identifier: AGPL-3.0-or-later
"""Rooms for one tricky case."""

import datetime as dt
from typing import Self

from pydantic import model_validator

from desk.config import DisposableRoomsConfig
from helproom.config.sections.section import Section
from helproom.config.values import Duration


class DisposableRoomsSection(Section):
    """Rooms for one tricky case."""

    life: Duration = dt.timedelta(hours=24)
    longest: Duration = dt.timedelta(hours=72)

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if not dt.timedelta(0) < self.life <= self.longest:
            raise ValueError("life is longer than longest, or nothing: a room must end.")
        return self

    def to_desk(self) -> DisposableRoomsConfig:
        """Return what the desk has to know of such rooms: a field for each key."""
        return DisposableRoomsConfig(**dict(self))
