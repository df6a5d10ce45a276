# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tickets as they are found: all that was said in them, and what is known of them."""

import re
from collections.abc import Iterable, Sequence
from itertools import chain

from desk.tickets.details import LetterDetails
from storage.models import Message, MessageKind, Side, Ticket
from storage.search.index import Entry
from storage.unit import Unit

_LOGS = (".log", ".txt")
_ADDRESS = re.compile(r"(?<![\w.+%-])[\w.+%-]++@[\w.-]+")
"""Reports and quoted letters hold them; they are found by `contact:` only."""


async def entry_of(unit: Unit, number: int) -> Entry | None:
    """Return a ticket as it is found; None where it is gone, or was erased."""
    ticket = await unit.tickets.get(number)
    if ticket is None or ticket.wrapped_key is None:
        return None
    said = await unit.messages.of(ticket)
    files = list(chain.from_iterable(map(_file_names, said)))
    tags = tuple(tag.name.casefold() for tag in ticket.tags)
    problems = [link.problem for link in ticket.links]
    return Entry(
        ticket=ticket.id,
        queue=ticket.queue,
        language=ticket.language.casefold(),
        version=(ticket.tails_version or "").casefold(),
        state=ticket.state.value,
        is_left=ticket.closed_at is None and ticket.last_public is Side.USER,
        owner=ticket.owner or "",
        contact_tag=ticket.contact_tag or "",
        opened_at=ticket.opened_at,
        last_at=ticket.last_public_at,
        tags=tags,
        issues=tuple(problem.issue for problem in problems),
        texts=tuple(_texts(ticket, said, (*tags, *files, *(problem.subject or "" for problem in problems)))),
        has_log=bool(ticket.whisperback_tag) or any(name.casefold().endswith(_LOGS) for name in files),
        has_file=bool(files),
        has_note=any(message.kind is MessageKind.NOTE for message in said),
    )


def _texts(ticket: Ticket, said: Sequence[Message], names: Iterable[str]) -> list[str]:
    """Return by what it is called, and what was said, oldest first. Never an address."""
    called = "\n".join(filter(None, (ticket.subject, ticket.close_reason, *names)))
    words = (called, *(message.text for message in said if message.text))
    return [_ADDRESS.sub("@", text) for text in words]


def _file_names(message: Message) -> list[str]:
    if message.kind is not MessageKind.IN:
        return []
    return [file.name for file in LetterDetails.load(message).attachments]
