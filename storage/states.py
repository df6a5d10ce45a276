# SPDX-License-Identifier: AGPL-3.0-or-later
"""The words in which rows say how far they are."""

from enum import StrEnum


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


class OutboxState(StrEnum):
    """How far an outbox row has come."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    PARKED = "parked"
    DROPPED = "dropped"


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


class RoomPurpose(StrEnum):
    """What a room is for."""

    QUEUE = "queue"
    OPERATORS = "operators"
    DISPOSABLE = "disposable"


class RoomState(StrEnum):
    """How far a room has come."""

    WANTED = "wanted"
    OPEN = "open"
    REPLACED = "replaced"
    """Another room has taken its place, and the bot cannot go there yet: what is to be said waits."""
    CLOSING = "closing"
    CLOSED = "closed"


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
