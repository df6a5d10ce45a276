# SPDX-License-Identifier: AGPL-3.0-or-later
"""Keys of those who write to us."""

import datetime as dt
from enum import StrEnum

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from storage.models.base import Base
from storage.sealing.columns import OwnKey, Sealed, SealedBytes, SealedInstant


class KeyState(StrEnum):
    """What the desk makes of a contact's public key."""

    NONE = "none"
    """There is no key."""
    SEEN = "seen"
    """The first one that came; used, though nobody has compared it."""
    PINNED = "pinned"
    """A person has accepted it."""
    CHANGED = "changed"
    """Another one than the first; waits for a person's word."""
    REFUSED = "refused"
    REPLACED = "replaced"
    """Was used until a person accepted another one."""
    EXPIRED = "expired"
    REVOKED = "revoked"
    UNUSABLE = "unusable"
    """Nothing can be encrypted to it."""


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


class KnownOnce(Base):
    """A contact of whom keys were forgotten: no mail to them leaves in clear all the same."""

    __tablename__ = "known_once"

    contact_tag: Mapped[str] = mapped_column(String(32), primary_key=True)
    forgotten_at: Mapped[dt.datetime]
    forgotten_by: Mapped[str | None] = mapped_column(String(255))
    """Matrix user id; None for a sysadmin."""
