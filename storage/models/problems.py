# SPDX-License-Identifier: AGPL-3.0-or-later
"""Known bugs."""

import datetime as dt

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
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


class Sighting(Base):
    """Somebody has met a problem; it stays when its ticket is gone, so that people can still be counted."""

    __tablename__ = "sighting"
    __table_args__ = (
        UniqueConstraint("ticket_id", "problem_id"),
        Index("ix_sighting_day_problem_id", "day", "problem_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    problem_id: Mapped[int] = mapped_column(ForeignKey("problem.id"), index=True)
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id", ondelete="SET NULL"))
    day: Mapped[dt.date]
    """When the ticket was opened (UTC)."""
    language: Mapped[str] = mapped_column(String(16))
    version: Mapped[str] = mapped_column(String(64))
    """Of the system; empty where it is not known."""
    reporter_tag: Mapped[str] = mapped_column(String(32))
    """Keyed tag of the contact's address or of the report's id; of a ticket without either, its own."""
