# SPDX-License-Identifier: AGPL-3.0-or-later
"""What somebody did in a room: the one value that goes from the sync through the journal to the commands."""

import datetime as dt
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

Json = dict[str, Any]


class EventKind(StrEnum):
    """What somebody did."""

    MESSAGE = "message"
    REACTION = "reaction"
    REDACTION = "redaction"


@dataclass(frozen=True)
class RoomEvent:
    """One event of somebody else that may mean something to us."""

    event_id: str
    room_id: str
    sender: str
    """Matrix user id."""
    kind: EventKind
    sent_at: dt.datetime
    """Aware, UTC, as the sender's homeserver claims."""
    body: str = ""
    """The sender's own words: the quote that old clients put before a reply is cut off."""
    msgtype: str = ""
    thread_root: str | None = None
    relates_to: str | None = None
    """The event replied to, reacted to or redacted."""
    edits: str | None = None
    """The event whose words these replace; all else of it is as it was."""
    is_file: bool = False
    """A file; the words are what was written to it."""
    key: str = ""
    """A reaction's emoji."""
    mentions: tuple[str, ...] = ()
    pills: tuple[str, ...] = ()
    """Matrix user ids that the words link to, while their text shows display names only."""
    mentions_room: bool = False
    decrypted: bool = False
    """False: it came in clear, as reactions and redactions always do; a message must not command then."""
    verified: bool = False
    """Sent by a device that its owner's pinned identity has signed."""
    late: bool = False
    """Its key came after it; it was an Undecryptable before."""
    place: str = ""
    """Where its words stand in the sender's stream of keys; another event at the same place is a replay."""
    too_old: bool = False
    """Found without a sync token, and so long ago that whoever said it may not want it any more."""

    @property
    def original_id(self) -> str:
        """The message that is meant: of an edit, the one whose words it replaces."""
        return self.edits or self.event_id

    def to_json(self) -> Json:
        """Return the event as JSON can hold it."""
        return {**asdict(self), "sent_at": self.sent_at.timestamp()}

    @classmethod
    def from_json(cls, fields: Json) -> Self:
        """Return what `to_json` was called on; what an older version did not write keeps its default."""
        lists = {name: tuple(fields.get(name, ())) for name in ("mentions", "pills")}
        sent_at = dt.datetime.fromtimestamp(fields["sent_at"], dt.UTC)
        return cls(**{**fields, **lists, "kind": EventKind(fields["kind"]), "sent_at": sent_at})
