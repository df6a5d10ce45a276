# SPDX-License-Identifier: AGPL-3.0-or-later
"""Cross-signing identities of members of our rooms."""

import datetime as dt

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from storage.models.base import Base
from storage.sealing.columns import OwnKey, Sealed


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
