# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a command gets and what it gives back. A command cannot send."""

import datetime as dt
from dataclasses import dataclass

from commands.event import RoomEvent
from desk.context import Work
from desk.outbox.posts import File
from desk.rooms.names import link_to
from desk.tickets.threads import Thread, refuse_ended
from storage.models import Room, Ticket
from storage.unit import Unit


@dataclass(frozen=True)
class Context:
    """What an agent said or pressed, where, and what the desk works with."""

    event: RoomEvent
    """Its sender is an agent. An edit stands where the message stands whose words it replaces."""
    room: Room
    work: Work
    ticket_thread: Thread | None = None
    """The ticket's thread in which it was said, by a reply or in the thread itself."""

    @property
    def unit(self) -> Unit:
        """The transaction, with its named queries."""
        return self.work.unit

    @property
    def agent(self) -> str:
        """Matrix user id of who speaks."""
        return self.event.sender

    @property
    def said_at(self) -> dt.datetime:
        """When it was said, never later than now."""
        # The sender's homeserver says when; a clock that is ahead must not make old mail look read.
        return min(self.event.sent_at, self.work.world.now())

    @property
    def thread(self) -> str | None:
        """The root of the thread in which it is answered."""
        return self.event.thread_root or (self.ticket_thread.root if self.ticket_thread is not None else None)

    @property
    def ticket_in_thread(self) -> Ticket | None:
        """Whose thread this is or, where the ticket was moved since, was."""
        return self.ticket_thread.ticket if self.ticket_thread is not None else None

    def is_in_thread_of(self, ticket: Ticket) -> bool:
        """Tell whether what happens in the ticket's thread is seen where this is said."""
        here = self.ticket_thread
        return here is not None and here.ticket.id == ticket.id and here.goes_on

    def ticket_here(self) -> Ticket | None:
        """Return the ticket of this thread; raises Refusal when it goes on elsewhere."""
        here = self.ticket_thread
        if here is not None and not here.goes_on:
            raise refuse_ended(here.ticket, here.elsewhere)
        return self.ticket_in_thread


@dataclass(frozen=True)
class Reply:
    """The answer: `text` is ours, `quote` somebody else's words."""

    text: str
    quote: str = ""
    file: File | None = None
    done: bool = False
    """There is nothing to read in it: a reaction to the command says as much."""


async def told_elsewhere(context: Context, ticket: Ticket, what: str) -> Reply | None:
    """Return where something stands that a command has said in a ticket's thread; None where it is seen."""
    if context.is_in_thread_of(ticket):
        return None
    home = await context.unit.rooms.of_queue(ticket.queue)
    link = link_to(home, ticket.event_id) if home is not None and ticket.event_id is not None else ""
    return Reply(f"{what} in the thread of #{ticket.id}" + (f": {link}" if link else "."))
