# SPDX-License-Identifier: AGPL-3.0-or-later
"""Matrix events that were heard."""

import datetime as dt
from enum import StrEnum

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from storage.models.base import Base
from storage.sealing.columns import OwnKey, Sealed


class EventState(StrEnum):
    """How far a journalled Matrix event has come."""

    NEW = "new"
    DONE = "done"
    FAILED = "failed"
    UNDECRYPTABLE = "undecryptable"
    HINTED = "hinted"


class Came(StrEnum):
    """What came of something that was said or pressed, as far as a later change of it has to know."""

    NOTHING = "nothing"
    """It was no command, or was refused."""
    ACTED = "acted"
    CLAIMED = "claimed"
    """By a reaction; taking it away releases the ticket."""
    REMOVED = "removed"
    """Its author has taken it back; no edit of it counts any more."""


class Event(OwnKey, Base):
    """The journal: a Matrix event that was heard, in the order of hearing."""

    __tablename__ = "event"

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[str] = mapped_column(String(255), unique=True)
    room_id: Mapped[str] = mapped_column(String(255))
    state: Mapped[EventState] = mapped_column(index=True)
    heard_at: Mapped[dt.datetime]
    place_tag: Mapped[str | None] = mapped_column(String(32), unique=True)
    """Of the place of its words in the sender's stream of keys; kept for ever, since a key opens for ever."""
    sender_tag: Mapped[str | None] = mapped_column(String(32))
    """Of the Matrix user id: only who said something may change it or take it back."""
    thread_root: Mapped[str | None] = mapped_column(String(255))
    target: Mapped[str | None] = mapped_column(String(255))
    """The event replied to, or reacted to."""
    edits: Mapped[str | None] = mapped_column(String(255))
    """The event whose words it replaces."""
    came: Mapped[Came | None]
    """What came of it; None until somebody has acted on it, and of what older versions acted on."""
    sender_sealed: Mapped[bytes | None]
    content_sealed: Mapped[bytes | None]
    sender = Sealed("sender_sealed")
    """A Matrix user id; None once somebody has acted on the event."""
    content = Sealed("content_sealed")

    def take_place_of(self, other: "Event") -> None:
        """Know of itself what could only be read later."""
        self.thread_root, self.target, self.edits = other.thread_root, other.target, other.edits

    def is_change_of(self, other: "Event") -> bool:
        """Whether it may change what the other one said: only its author may, where it was said."""
        same_sender = self.sender_tag is not None and self.sender_tag == other.sender_tag
        return same_sender and self.room_id == other.room_id

    def finish(self, state: EventState, came: Came = Came.NOTHING) -> None:
        """What was said, and by whom, is not kept once it was acted on; only what came of it."""
        self.state = state
        self.came = came
        self.content_sealed = self.sender_sealed = None
        self.wrapped_key = None
