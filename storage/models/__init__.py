# SPDX-License-Identifier: AGPL-3.0-or-later
"""The tables. Personal columns end in `_sealed` and are read through the attribute without that ending."""

from storage.models.base import Base, Instant
from storage.models.contacts import ContactKey, KeyState, KnownOnce
from storage.models.facts import Fact
from storage.models.identities import Pin
from storage.models.journal import Came, Event, EventState
from storage.models.letters import Asker, Ciphertext, LeftInMailbox, Letter, LetterState, MailboxAction
from storage.models.messages import OPEN_REPLY, Message, MessageKind, OutgoingFile, ReplyState
from storage.models.outbox import ANNOUNCEMENT, Outbox, OutboxState
from storage.models.problems import Problem, Sighting
from storage.models.rooms import Room, RoomPurpose, RoomState
from storage.models.templates import Template, TemplateVariant
from storage.models.tickets import Link, Side, Tag, Ticket, TicketReference, TicketState

__all__ = [
    "ANNOUNCEMENT",
    "OPEN_REPLY",
    "Asker",
    "Base",
    "Came",
    "Ciphertext",
    "ContactKey",
    "Event",
    "EventState",
    "Fact",
    "Instant",
    "KeyState",
    "KnownOnce",
    "LeftInMailbox",
    "Letter",
    "LetterState",
    "Link",
    "MailboxAction",
    "Message",
    "MessageKind",
    "Outbox",
    "OutboxState",
    "OutgoingFile",
    "Pin",
    "Problem",
    "ReplyState",
    "Room",
    "RoomPurpose",
    "RoomState",
    "Side",
    "Sighting",
    "Tag",
    "Template",
    "TemplateVariant",
    "Ticket",
    "TicketReference",
    "TicketState",
]
