# SPDX-License-Identifier: AGPL-3.0-or-later
"""What must leave the house."""

import datetime as dt
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from storage.models.base import Base
from storage.sealing.columns import OwnKey, Sealed


class OutboxState(StrEnum):
    """How far an outbox row has come."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    PARKED = "parked"
    DROPPED = "dropped"


ANNOUNCEMENT = "announce"
"""The kind of row that announces a ticket, and so roots its thread."""


class Outbox(OwnKey, Base):
    """What must leave the house; written with the decision, sent after it."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index("ix_outbox_lane_state", "lane", "state"),
        Index("ix_outbox_room_state", "room", "state"),
        Index("ix_outbox_room_kind", "room", "kind"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    lane: Mapped[str] = mapped_column(String(255))
    """Rows of one lane leave one after the other, in order of id."""
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id", ondelete="CASCADE"), index=True)
    message_id: Mapped[int | None] = mapped_column(ForeignKey("message.id", ondelete="CASCADE"), index=True)
    room: Mapped[int | None] = mapped_column(ForeignKey("room.id", ondelete="CASCADE"))
    state: Mapped[OutboxState] = mapped_column(index=True)
    tries: Mapped[int] = mapped_column(default=0)
    surprises: Mapped[int] = mapped_column(default=0, server_default="0")
    """How often our own code has failed on it; other tries do not count."""
    refusals: Mapped[int] = mapped_column(default=0, server_default="0")
    """How often the other side has refused it."""
    created_at: Mapped[dt.datetime]
    due_at: Mapped[dt.datetime]
    done_at: Mapped[dt.datetime | None]
    error: Mapped[str | None] = mapped_column(Text)
    event_id: Mapped[str | None] = mapped_column(String(255), index=True)
    """The Matrix event that came of it."""
    payload_sealed: Mapped[bytes | None]
    payload = Sealed("payload_sealed")
