# SPDX-License-Identifier: AGPL-3.0-or-later
"""The tables. Personal columns end in `_sealed` and are read through the attribute without that ending."""

import datetime as dt
import enum
from typing import Any, ClassVar

from sqlalchemy import DateTime, Dialect, Enum, ForeignKey, MetaData, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

from storage.sealed import OwnKey, Sealed, SealedBytes, SealedInstant
from storage.sealing import DataKey
from storage.states import (
    EventState,
    KeyState,
    LetterState,
    MessageKind,
    OutboxState,
    ReplyState,
    RoomPurpose,
    RoomState,
    Side,
    TicketState,
)


class Instant(TypeDecorator[dt.datetime]):
    """An aware time in UTC; SQLite forgets time zones, so they are taken off and put back here."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        """Refuse times without zone; hand UTC to the database."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("times are aware UTC")
        utc = value.astimezone(dt.UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: dt.datetime | None, _dialect: Dialect) -> dt.datetime | None:
        """Give the zone back."""
        return value if value is None or value.tzinfo else value.replace(tzinfo=dt.UTC)


def _values(states: type[enum.Enum]) -> list[str]:
    return [str(state.value) for state in states]


class Base(DeclarativeBase):
    """What all tables share: names of constraints (for migrations) and column types by annotation."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        dt.datetime: Instant,
        enum.StrEnum: Enum(enum.StrEnum, native_enum=False, values_callable=_values, length=24),
    }


class Ticket(OwnKey, Base):
    """One person's matter; `id` is the number agents use, `ref` what outside identifiers are made from."""

    __tablename__ = "ticket"

    id: Mapped[int] = mapped_column(primary_key=True)
    queue: Mapped[str] = mapped_column(String(64), index=True)
    """The queue in whose room the ticket is worked on."""
    mailbox: Mapped[str] = mapped_column(String(64))
    """The queue whose address the user wrote to: its address and key answer."""
    language: Mapped[str] = mapped_column(String(16))
    language_confidence: Mapped[float | None]
    owner: Mapped[str | None] = mapped_column(String(255))
    opened_at: Mapped[dt.datetime]
    closed_at: Mapped[dt.datetime | None]
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


class Mark(Base):
    """By what letters are known to belong to a ticket, as a tag: a party's address, a partner's number."""

    __tablename__ = "mark"

    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id", ondelete="CASCADE"), primary_key=True)
    tag: Mapped[str] = mapped_column(String(32), primary_key=True, index=True)


class Problem(Base):
    """A known bug: an issue of the tracker, as it was when last read."""

    __tablename__ = "problem"

    id: Mapped[int] = mapped_column(primary_key=True)
    issue: Mapped[int] = mapped_column(unique=True)
    subject: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str | None] = mapped_column(String(255))
    target_version: Mapped[str | None] = mapped_column(String(255))
    read_at: Mapped[dt.datetime | None]


class Link(Base):
    """A ticket is about a problem."""

    __tablename__ = "link"

    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id", ondelete="CASCADE"), primary_key=True)
    problem_id: Mapped[int] = mapped_column(ForeignKey("problem.id"), primary_key=True)
    linked_by: Mapped[str] = mapped_column(String(255))
    linked_at: Mapped[dt.datetime]
    problem: Mapped[Problem] = relationship(lazy="raise")


class Letter(OwnKey, Base):
    """A mail as it came; kept before anything is made of it."""

    __tablename__ = "letter"

    id: Mapped[int] = mapped_column(primary_key=True)
    received_at: Mapped[dt.datetime]
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


class Message(Base):
    """What was said in a ticket: by the user, to the user, or among agents."""

    __tablename__ = "message"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(64), unique=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id", ondelete="CASCADE"), index=True)
    letter_id: Mapped[int | None] = mapped_column(ForeignKey("letter.id", ondelete="SET NULL"))
    kind: Mapped[MessageKind]
    at: Mapped[dt.datetime]
    author: Mapped[str | None] = mapped_column(String(255))
    """The agent's Matrix user id; None for the user, whose address is the ticket's contact."""
    message_id_tag: Mapped[str | None] = mapped_column(String(32), index=True)
    state: Mapped[ReplyState | None]
    hold_until: Mapped[dt.datetime | None]
    encryption: Mapped[str | None] = mapped_column(String(24))
    """How the letter it came in was encrypted."""
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


class ContactKey(OwnKey, Base):
    """A contact's OpenPGP public key, sealed; found by the tag of the contact's address."""

    __tablename__ = "contact_key"
    __table_args__ = (UniqueConstraint("contact_tag", "fingerprint_tag"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    contact_tag: Mapped[str] = mapped_column(String(32), index=True)
    fingerprint_tag: Mapped[str] = mapped_column(String(32))
    source: Mapped[str] = mapped_column(String(24))
    """How it first came: "autocrypt", "attached", "report" or "imported"."""
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id", ondelete="SET NULL"), index=True)
    """The ticket with which it first came."""
    state: Mapped[KeyState]
    """What people, or the order of arrival, made of it: seen, pinned, changed, refused or replaced."""
    problem: Mapped[KeyState | None]
    """What it is good for by itself, whatever the time: revoked or unusable, or nothing against it."""
    prefers_encryption: Mapped[bool]
    """Its owner's newest Autocrypt header said prefer-encrypt=mutual."""
    letters: Mapped[int]
    """How many letters from the contact brought it."""
    seen_at: Mapped[dt.datetime]
    last_seen_at: Mapped[dt.datetime]
    decided_at: Mapped[dt.datetime | None]
    decided_by: Mapped[str | None] = mapped_column(String(255))
    """Matrix user id of whom `state` comes from; None for nobody or a sysadmin."""
    expires_at_sealed: Mapped[bytes | None]
    armor_sealed: Mapped[bytes | None]
    fingerprint_sealed: Mapped[bytes | None]
    about_sealed: Mapped[bytes | None]
    expires_at = SealedInstant("expires_at_sealed")
    """From when on nothing can be encrypted to it."""
    armor = SealedBytes("armor_sealed")
    fingerprint = Sealed("fingerprint_sealed")
    about = Sealed("about_sealed")
    """JSON: algorithm, when it was made, whether it names the contact, and which copies of it have come."""


class Template(Base):
    """A text that agents answer with, one variant per language."""

    __tablename__ = "template"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    variants: Mapped[list["TemplateVariant"]] = relationship(
        lazy="raise", cascade="all, delete-orphan", order_by="TemplateVariant.language"
    )


class TemplateVariant(Base):
    """A template's text in one language."""

    __tablename__ = "template_variant"

    template_id: Mapped[int] = mapped_column(ForeignKey("template.id", ondelete="CASCADE"), primary_key=True)
    language: Mapped[str] = mapped_column(String(16), primary_key=True)
    text: Mapped[str] = mapped_column(Text)


class Outbox(OwnKey, Base):
    """What must leave the house; written with the decision, sent after it."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    lane: Mapped[str] = mapped_column(String(255), index=True)
    """Rows of one lane leave one after the other, in order of id."""
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id", ondelete="CASCADE"), index=True)
    message_id: Mapped[int | None] = mapped_column(ForeignKey("message.id", ondelete="CASCADE"), index=True)
    room: Mapped[int | None] = mapped_column(ForeignKey("room.id", ondelete="CASCADE"), index=True)
    state: Mapped[OutboxState] = mapped_column(index=True)
    tries: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[dt.datetime]
    due_at: Mapped[dt.datetime]
    done_at: Mapped[dt.datetime | None]
    error: Mapped[str | None] = mapped_column(Text)
    event_id: Mapped[str | None] = mapped_column(String(255), index=True)
    """The Matrix event that came of it."""
    payload_sealed: Mapped[bytes | None]
    payload = Sealed("payload_sealed")


class Event(OwnKey, Base):
    """The journal: a Matrix event that was heard, in the order of hearing."""

    __tablename__ = "event"

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[str] = mapped_column(String(255), unique=True)
    room_id: Mapped[str] = mapped_column(String(255))
    state: Mapped[EventState] = mapped_column(index=True)
    heard_at: Mapped[dt.datetime]
    sender_sealed: Mapped[bytes | None]
    content_sealed: Mapped[bytes | None]
    sender = Sealed("sender_sealed")
    """A Matrix user id; None once somebody has acted on the event."""
    content = Sealed("content_sealed")


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


class Pin(OwnKey, Base):
    """The cross-signing identity under which a member of our rooms was first seen, or that was accepted."""

    __tablename__ = "pin"

    user_tag: Mapped[str] = mapped_column(String(32), primary_key=True)
    pinned_at: Mapped[dt.datetime]
    user_id_sealed: Mapped[bytes | None]
    master_key_sealed: Mapped[bytes | None]
    shown_key_sealed: Mapped[bytes | None]
    user_id = Sealed("user_id_sealed")
    master_key = Sealed("master_key_sealed")
    """In unpadded base64: who has it finds the user on the homeserver, so that it is sealed too."""
    shown_key = Sealed("shown_key_sealed")
    """What the homeserver shows in its place, empty when nothing; None as long as nothing has changed."""


class Fact(Base):
    """A single value that must survive a restart, such as the sync token."""

    __tablename__ = "fact"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(Text)
