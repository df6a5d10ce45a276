# SPDX-License-Identifier: AGPL-3.0-or-later
"""Matrix events that were heard."""

import datetime as dt

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from storage.models.base import Base
from storage.sealed import OwnKey, Sealed
from storage.states import EventState


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
    sender_sealed: Mapped[bytes | None]
    content_sealed: Mapped[bytes | None]
    sender = Sealed("sender_sealed")
    """A Matrix user id; None once somebody has acted on the event."""
    content = Sealed("content_sealed")

    def finish(self, state: EventState) -> None:
        """What was said, and by whom, is not kept once it was acted on."""
        self.state = state
        self.content_sealed = self.sender_sealed = None
        self.wrapped_key = None
