# SPDX-License-Identifier: AGPL-3.0-or-later
"""The languages."""

from pydantic import Field, StrictBool

from desk.config import Queue
from helproom.config.sections.section import Line, Section
from helproom.config.values import Address, Fingerprint, Language, Name, RoomId, UserId


class QueueSection(Section):
    """A language's room, mail address and OpenPGP key."""

    name: Name = Field(description="a short name, such as en")
    language: Language = Field(description="the language as two letters, such as en")
    address: Address = Field(description="the mail address people write to")
    role_name: Line = Field(description="the name under which answers leave, such as Example help desk")
    fingerprint: Fingerprint = Field(description="the fingerprint of the queue's OpenPGP key")
    detect: StrictBool = False
    fallback: tuple[UserId, ...] = ()
    room: RoomId | None = None
    room_name: Line | None = None

    def to_desk(self) -> Queue:
        """Return the queue as the desk knows it."""
        return Queue(
            name=self.name,
            language=self.language,
            address=self.address.lower(),
            role_name=self.role_name,
            fingerprint=self.fingerprint,
            detect=self.detect,
            fallback=self.fallback,
        )
