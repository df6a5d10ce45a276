# SPDX-License-Identifier: AGPL-3.0-or-later
"""Rooms that the bot made or was given."""

import datetime as dt
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from storage.models.base import Base
from storage.sealing.columns import OwnKey, Sealed


class RoomPurpose(StrEnum):
    """What a room is for."""

    QUEUE = "queue"
    OPERATORS = "operators"
    DISPOSABLE = "disposable"


class RoomState(StrEnum):
    """How far a room has come."""

    WANTED = "wanted"
    OPEN = "open"
    REPLACED = "replaced"
    """Another room has taken its place, and the bot cannot go there yet: what is to be said waits."""
    CLOSING = "closing"
    CLOSED = "closed"


class Room(OwnKey, Base):
    """A room that the bot made or was given; the row is written before the room is made."""

    __tablename__ = "room"
    __table_args__ = (Index("ix_room_purpose_state", "purpose", "state"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    purpose: Mapped[RoomPurpose]
    queue: Mapped[str | None] = mapped_column(String(64))
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id", ondelete="SET NULL"), index=True)
    room_id: Mapped[str | None] = mapped_column(String(255), index=True)
    state: Mapped[RoomState] = mapped_column(index=True)
    opened_by: Mapped[str | None] = mapped_column(String(255))
    ends_at: Mapped[dt.datetime | None]
    invited_sealed: Mapped[bytes | None]
    invited = Sealed("invited_sealed")
    """JSON list of Matrix user ids."""
