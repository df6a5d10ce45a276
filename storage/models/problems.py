# SPDX-License-Identifier: AGPL-3.0-or-later
"""Known bugs."""

import datetime as dt

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from storage.models.base import Base


class Problem(Base):
    """A known bug: an issue of the tracker, as it was when last read."""

    __tablename__ = "problem"

    id: Mapped[int] = mapped_column(primary_key=True)
    issue: Mapped[int] = mapped_column(unique=True)
    subject: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str | None] = mapped_column(String(255))
    target_version: Mapped[str | None] = mapped_column(String(255))
    read_at: Mapped[dt.datetime | None]
