# SPDX-License-Identifier: AGPL-3.0-or-later
"""Mails as they came, and where they are."""

import datetime as dt
from enum import StrEnum

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from storage.models.base import Base
from storage.sealing.columns import OwnKey, Sealed, SealedBytes


class LetterState(StrEnum):
    """What became of a letter; every letter ends in one of the last four."""

    NEW = "new"
    TICKET = "ticket"
    FOLLOW_UP = "follow-up"
    QUARANTINED = "quarantined"
    DROPPED = "dropped"


class MailboxAction(StrEnum):
    """What is to be done with a letter that lies in a mailbox outside."""

    TAKE = "take"
    DROP = "drop"
    PUT_AWAY = "put away"
    """It is taken in, and has to be moved to where those lie."""


class Letter(OwnKey, Base):
    """A mail as it came; kept before anything is made of it."""

    __tablename__ = "letter"

    id: Mapped[int] = mapped_column(primary_key=True)
    received_at: Mapped[dt.datetime] = mapped_column(index=True)
    queue: Mapped[str] = mapped_column(String(64))
    source: Mapped[str] = mapped_column(String(16))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    state: Mapped[LetterState] = mapped_column(index=True)
    reason: Mapped[str | None] = mapped_column(Text)
    tries: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[dt.datetime]
    reply_tag: Mapped[str | None] = mapped_column(String(32))
    """Tag of the token behind the + of the recipient address."""
    sender_tag: Mapped[str | None] = mapped_column(String(32), index=True)
    """Tag of the envelope sender, the null sender's too."""
    same_tag: Mapped[str | None] = mapped_column(String(32), index=True)
    """Tag of what two deliveries of one mail have in common; None until it was opened."""
    begun_at: Mapped[dt.datetime | None] = mapped_column(index=True)
    """When it was first opened."""
    leased_until: Mapped[dt.datetime | None]
    """Until when a worker has it to itself; None when it was not begun, or decided on."""
    released_by: Mapped[str | None] = mapped_column(String(255))
    """The Matrix user id of who took it out of quarantine."""
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id", ondelete="SET NULL"))
    """The ticket it became, went to, or claims to belong to."""
    raw_sealed: Mapped[bytes | None] = mapped_column(deferred=True, deferred_raiseload=True)
    mail_from_sealed: Mapped[bytes | None]
    raw = SealedBytes("raw_sealed")
    mail_from = Sealed("mail_from_sealed")


class Ciphertext(Base):
    """What was opened once, found by a tag of its session key: that stays the same, whoever sends it."""

    __tablename__ = "ciphertext"

    tag: Mapped[str] = mapped_column(String(32), primary_key=True)
    letter_id: Mapped[int | None] = mapped_column(ForeignKey("letter.id", ondelete="SET NULL"))
    contact_tag: Mapped[str | None] = mapped_column(String(32))
    """Who sent it first."""
    seen_at: Mapped[dt.datetime]


class LeftInMailbox(Base):
    """Where a letter lies that was refused at fetching, and what somebody wants done with it."""

    __tablename__ = "outside"

    letter_id: Mapped[int] = mapped_column(ForeignKey("letter.id", ondelete="CASCADE"), primary_key=True)
    mailbox: Mapped[str] = mapped_column(String(64), index=True)
    """Its name in the config."""
    likeness: Mapped[str] = mapped_column(String(64))
    """Keyed digest of its first bytes, by which it is found again wherever it is moved."""
    size: Mapped[int]
    """In bytes, as the mailbox tells it."""
    wish: Mapped[MailboxAction | None]


class Asker(Base):
    """Where somebody waits to hear what comes of a letter."""

    __tablename__ = "asked"

    letter_id: Mapped[int] = mapped_column(ForeignKey("letter.id", ondelete="CASCADE"), primary_key=True)
    room: Mapped[int] = mapped_column(ForeignKey("room.id", ondelete="CASCADE"))
    thread: Mapped[str | None] = mapped_column(String(255))
