# SPDX-License-Identifier: AGPL-3.0-or-later
"""The tables. Personal columns end in `_sealed` and are read through the attribute without that ending."""

from storage.models.base import Base, Instant
from storage.models.contacts import ContactKey, KnownOnce
from storage.models.facts import Fact
from storage.models.identities import Pin
from storage.models.journal import Event
from storage.models.letters import Asker, Ciphertext, LeftInMailbox, Letter
from storage.models.messages import Message, OutgoingFile
from storage.models.outbox import Outbox
from storage.models.problems import Problem
from storage.models.rooms import Room
from storage.models.templates import Template, TemplateVariant
from storage.models.tickets import Link, Tag, Ticket, TicketReference

__all__ = [
    "Asker",
    "Base",
    "Ciphertext",
    "ContactKey",
    "Event",
    "Fact",
    "Instant",
    "KnownOnce",
    "LeftInMailbox",
    "Letter",
    "Link",
    "Message",
    "Outbox",
    "OutgoingFile",
    "Pin",
    "Problem",
    "Room",
    "Tag",
    "Template",
    "TemplateVariant",
    "Ticket",
    "TicketReference",
]
