# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a room is told of a ticket: never an address, never a word of the letter but its topic."""

import datetime as dt
from dataclasses import dataclass

from storage.models import TicketState


@dataclass(frozen=True)
class Announcement:
    """The facts of a ticket's announcement."""

    number: int
    language: str
    """ISO 639-1, or empty when unknown."""
    state: TicketState
    opened_at: dt.datetime
    encryption: str
    """In words, such as "encrypted" or "not encrypted"."""
    topic: str = ""
    tails_version: str = ""
    agent: str = ""
    """Matrix user id of whom it belongs to; empty when it belongs to nobody."""
    closed_by: str = ""
    """Matrix user id of the agent who closed it."""
    sent: bool = False
    """An answer has left the house."""
