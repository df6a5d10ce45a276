# SPDX-License-Identifier: AGPL-3.0-or-later
"""The threads of a ticket: one below each announcement, of which the newest is the one that goes on."""

from collections.abc import Sequence
from dataclasses import dataclass

from desk.context import Work
from desk.outbox.posts import ANNOUNCE, ANNOUNCE_EDIT, home_of, lane_of, put
from desk.outbox.ranks import Rank
from desk.rooms.names import link_to
from desk.world import Refusal
from storage.models import Outbox, Ticket
from storage.unit import Unit

_LONGEST_CHAIN = 20
"""Answers to answers are followed so far."""


@dataclass(frozen=True)
class Thread:
    """A ticket by one of its threads."""

    ticket: Ticket
    root: str
    """The announcement's event."""
    goes_on: bool
    """False when the ticket was announced anew since, in another room or again in this one."""
    elsewhere: str = ""
    """A link to where it goes on."""


async def of_event(unit: Unit, event_id: str) -> Thread | None:
    """Return the thread that this event roots; None when it is no announcement."""
    ticket = await unit.tickets.by_event(event_id)
    if ticket is not None:
        return Thread(ticket, event_id, goes_on=True)
    row = await unit.outbox.by_event(event_id)
    if row is None or row.kind != ANNOUNCE.name:
        return None
    ticket = await unit.tickets.get(row.ticket_id or 0)
    if ticket is None:
        return None
    return Thread(
        ticket, event_id, goes_on=False, elsewhere=link_to(await home_of(unit, ticket), ticket.event_id)
    )


async def of_message(unit: Unit, event_id: str) -> Thread | None:
    """Return the thread that a message roots or stands in, or that the message it answers stands in."""
    for _ in range(_LONGEST_CHAIN):
        thread = await of_event(unit, event_id)
        if thread is not None:
            return thread
        row = await unit.outbox.by_event(event_id)
        if row is not None:
            root = await root_event_of(unit, row)
            return await of_event(unit, root) if root is not None else None
        heard = await unit.journal.by_event(event_id)
        answers = heard is not None and (heard.thread_root or heard.target)
        if not answers:
            return None
        event_id = answers
    return None


def refuse_ended(ticket: Ticket, elsewhere: str = "", *, by_number: bool = True) -> Refusal:
    """Return what to raise where somebody speaks to a ticket in a thread of it that has ended.

    `by_number`: what was said would be done here all the same, with the ticket's number.
    """
    or_here = f", or give its number here: `#{ticket.id}`" if by_number else ""
    return Refusal(
        f"This thread has ended: ticket {ticket.id} goes on in the room of “{ticket.queue}”, below its "
        f"newest announcement. Say it there{or_here}." + (f" {elsewhere}" if elsewhere else "")
    )


def root_of(announcements: Sequence[Outbox], room: int | None, row: int) -> Outbox | None:
    """Return the announcement to which an outbox row belongs: the last before it in its room, or itself."""
    before = [each for each in announcements if each.room == room and each.id <= row]
    return before[-1] if before else None


async def root_event_of(unit: Unit, row: Outbox) -> str | None:
    """Return the event below which an outbox row of a ticket stands, in the room to which it went."""
    if row.ticket_id is None:
        return None
    announcements = await unit.outbox.announcements(row.ticket_id)
    root = root_of(announcements, row.room, row.id)
    if root is not None:
        return root.event_id
    ticket = await unit.tickets.get(row.ticket_id)
    return ticket.event_id if ticket is not None else None


async def end_all(work: Work, ticket: Ticket) -> None:
    """Edit the ticket's announcements, wherever it was announced; they tell where it is when they leave.

    To be called before it is announced anew, since an edit belongs to the announcement before it.
    """
    announcements = await work.unit.outbox.announcements(ticket.id)
    home = await home_of(work.unit, ticket)
    for room_id in sorted({home.id, *(each.room for each in announcements if each.room is not None)}):
        room = await work.unit.rooms.get(room_id)
        if room is not None:
            await put(work, ANNOUNCE_EDIT, lane_of(room, Rank.EDIT), room=room.id, ticket=ticket.id)
