# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tickets, and what is put on them."""

import datetime as dt
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from storage.models.base import Base
from storage.models.problems import Problem
from storage.sealing.columns import OwnKey, Sealed


class TicketState(StrEnum):
    """Where a ticket stands, as the announcement shows it."""

    NEW = "new"
    CLAIMED = "claimed"
    ANSWERED = "answered"
    WAITING = "waiting"
    CLOSED = "closed"


class Side(StrEnum):
    """Whose public message was the last."""

    USER = "user"
    DESK = "desk"


class Ticket(OwnKey, Base):
    """One person's matter; `id` is the number agents use, `ref` what outside identifiers are made from."""

    __tablename__ = "ticket"
    __table_args__ = (Index("ix_ticket_closed_at_queue", "closed_at", "queue"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    queue: Mapped[str] = mapped_column(String(64))
    """The queue in whose room the ticket is worked on."""
    mailbox: Mapped[str] = mapped_column(String(64))
    """The queue whose address the user wrote to: its address and key answer."""
    language: Mapped[str] = mapped_column(String(16))
    language_confidence: Mapped[float | None]
    owner: Mapped[str | None] = mapped_column(String(255))
    opened_at: Mapped[dt.datetime] = mapped_column(index=True)
    closed_at: Mapped[dt.datetime | None]
    closed_by: Mapped[str | None] = mapped_column(String(255))
    """The agent who closed it last."""
    last_public: Mapped[Side]
    last_public_at: Mapped[dt.datetime]
    answered_at: Mapped[dt.datetime | None]
    read_up_to: Mapped[int] = mapped_column(default=0)
    """The newest message from the user that was shown in the thread; 0 when none was."""
    confidential: Mapped[bool]
    encryption: Mapped[str] = mapped_column(String(24))
    signature: Mapped[str] = mapped_column(String(24))
    tails_version: Mapped[str | None] = mapped_column(String(64))
    whisperback_tag: Mapped[str | None] = mapped_column(String(32), index=True)
    """Tag of the first digits of the report's id."""
    kind: Mapped[str] = mapped_column(String(64))
    """What it is about as long as nobody has tagged it: words of ours, never the user's."""
    contact_tag: Mapped[str | None] = mapped_column(String(32), index=True)
    reply_tag: Mapped[str] = mapped_column(String(32), unique=True)
    event_id: Mapped[str | None] = mapped_column(String(255), index=True)
    """The announcement: root of the ticket's thread."""
    whisperback_id_sealed: Mapped[bytes | None]
    contact_sealed: Mapped[bytes | None]
    subject_sealed: Mapped[bytes | None]
    close_reason_sealed: Mapped[bytes | None]
    whisperback_id = Sealed("whisperback_id_sealed")
    contact = Sealed("contact_sealed")
    subject = Sealed("subject_sealed")
    close_reason = Sealed("close_reason_sealed")

    tags: Mapped[list["Tag"]] = relationship(lazy="raise", cascade="all, delete-orphan", order_by="Tag.name")
    links: Mapped[list["Link"]] = relationship(lazy="raise", cascade="all, delete-orphan")

    @property
    def state(self) -> TicketState:
        """Derived, so that no ticket can be in no state or in two."""
        if self.closed_at is not None:
            return TicketState.CLOSED
        if self.last_public is Side.DESK:
            return TicketState.ANSWERED
        if self.answered_at is not None:
            return TicketState.WAITING
        return TicketState.NEW if self.owner is None else TicketState.CLAIMED


class Tag(Base):
    """A word that agents put on a ticket."""

    __tablename__ = "tag"

    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)


class TicketReference(Base):
    """By what letters are known to belong to a ticket, as a tag: a party's address, a partner's number."""

    __tablename__ = "mark"

    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id", ondelete="CASCADE"), primary_key=True)
    tag: Mapped[str] = mapped_column(String(32), primary_key=True, index=True)


class Link(Base):
    """A ticket is about a problem."""

    __tablename__ = "link"

    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id", ondelete="CASCADE"), primary_key=True)
    problem_id: Mapped[int] = mapped_column(ForeignKey("problem.id"), primary_key=True, index=True)
    linked_by: Mapped[str] = mapped_column(String(255))
    linked_at: Mapped[dt.datetime]
    problem: Mapped[Problem] = relationship(lazy="raise")
