# SPDX-License-Identifier: AGPL-3.0-or-later
"""What was said in tickets, and the files that leave with it."""

import datetime as dt
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from storage.models.base import Base
from storage.models.tickets import Ticket
from storage.sealing.columns import Sealed, SealedBytes
from storage.sealing.vault import DataKey


class MessageKind(StrEnum):
    """What a message in a ticket is."""

    IN = "in"
    OUT = "out"
    NOTE = "note"


class ReplyState(StrEnum):
    """How far an answer to a user has come."""

    HELD = "held"
    STALE = "stale"
    LEAVING = "leaving"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNCLEAR = "unclear"
    BOUNCED = "bounced"
    CANCELLED = "cancelled"


OPEN_REPLY = frozenset({ReplyState.HELD, ReplyState.STALE})
"""In these states it has not been sent on its way, and can be taken back."""


class Message(Base):
    """What was said in a ticket: by the user, to the user, or among agents."""

    __tablename__ = "message"
    __table_args__ = (
        Index("ix_message_state_hold_until", "state", "hold_until"),
        Index("ix_message_author_at", "author", "at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(64), unique=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id", ondelete="CASCADE"), index=True)
    letter_id: Mapped[int | None] = mapped_column(ForeignKey("letter.id", ondelete="SET NULL"), index=True)
    kind: Mapped[MessageKind]
    at: Mapped[dt.datetime]
    author: Mapped[str | None] = mapped_column(String(255))
    """The agent's Matrix user id; None for the user, whose address is the ticket's contact."""
    message_id_tag: Mapped[str | None] = mapped_column(String(32), index=True)
    state: Mapped[ReplyState | None]
    hold_until: Mapped[dt.datetime | None]
    encryption: Mapped[str | None] = mapped_column(String(24))
    """How the letter it came in was encrypted."""
    asked_by: Mapped[str | None] = mapped_column(String(255), index=True)
    """The Matrix event of the command that made this answer, of whichever version of its words."""
    base_id: Mapped[int | None]
    """The newest message from the user that the writer of this answer knew of."""
    text_sealed: Mapped[bytes | None]
    subject_sealed: Mapped[bytes | None]
    message_id_sealed: Mapped[bytes | None]
    details_sealed: Mapped[bytes | None]
    text = Sealed("text_sealed")
    subject = Sealed("subject_sealed")
    message_id = Sealed("message_id_sealed")
    details = Sealed("details_sealed")
    """JSON of what else is worth showing: verdicts, attachments, problems."""

    ticket: Mapped[Ticket] = relationship(lazy="raise")

    def data_key(self) -> DataKey:
        """Return the ticket's key: it seals all that was said in it."""
        return self.ticket.data_key()


class OutgoingFile(Base):
    """A file that an agent wants to go out; without a size it has not been fetched yet."""

    __tablename__ = "enclosure"
    __table_args__ = (
        Index(
            "ix_enclosure_fetched",
            "id",
            sqlite_where=text("size IS NULL"),
            postgresql_where=text("size IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(64), unique=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id", ondelete="CASCADE"), index=True)
    message_id: Mapped[int | None] = mapped_column(ForeignKey("message.id", ondelete="CASCADE"), index=True)
    """The answer with which it leaves; None as long as it waits for one."""
    event_id: Mapped[str | None] = mapped_column(String(255), index=True)
    """The Matrix event that brought it; None until it is known which one was meant."""
    size: Mapped[int | None]
    """Bytes."""
    asked_at: Mapped[dt.datetime]
    name_sealed: Mapped[bytes | None]
    media_type_sealed: Mapped[bytes | None]
    content_sealed: Mapped[bytes | None] = mapped_column(deferred=True, deferred_raiseload=True)
    name = Sealed("name_sealed")
    media_type = Sealed("media_type_sealed")
    content = SealedBytes("content_sealed")

    ticket: Mapped[Ticket] = relationship(lazy="raise")

    def data_key(self) -> DataKey:
        """Return the ticket's key: a file is as secret as what was said."""
        return self.ticket.data_key()
