# SPDX-License-Identifier: AGPL-3.0-or-later
"""Rooms that the bot made or was given."""

import datetime as dt

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from storage.models.base import Base
from storage.sealing.columns import OwnKey, Sealed
from storage.states import RoomPurpose, RoomState


class Room(OwnKey, Base):
    """A room that the bot made or was given; the row is written before the room is made."""

    __tablename__ = "room"

    id: Mapped[int] = mapped_column(primary_key=True)
    purpose: Mapped[RoomPurpose]
    queue: Mapped[str | None] = mapped_column(String(64))
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id", ondelete="SET NULL"), index=True)
    room_id: Mapped[str | None] = mapped_column(String(255), index=True)
    state: Mapped[RoomState]
    opened_by: Mapped[str | None] = mapped_column(String(255))
    ends_at: Mapped[dt.datetime | None]
    invited_sealed: Mapped[bytes | None]
    invited = Sealed("invited_sealed")
    """JSON list of Matrix user ids."""
