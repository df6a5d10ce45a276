# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a command gets and what it gives back. A command cannot send."""

import datetime as dt
from dataclasses import dataclass

from desk.context import Work
from desk.outbox.posts import File
from desk.rooms.names import link_to
from desk.tickets.threads import refuse_ended
from storage.models import Room, Ticket
from storage.unit import Unit


@dataclass(frozen=True)
class Context:
    """Who speaks, where, and in which unit of work."""

    agent: str
    """Matrix user id."""
    room: Room
    ticket_in_thread: Ticket | None
    """Whose thread this is or, where `thread_ended`, was."""
    thread: str | None
    said_at: dt.datetime
    work: Work
    verified: bool = False
    """The device that sent this was signed by its owner's pinned identity."""
    event_id: str = ""
    """The message that says it."""
    reply_to: str | None = None
    """The event that the message answers, where a person chose it."""
    is_file: bool = False
    """The message is a file, and what was written to it is the command."""
    pills: tuple[str, ...] = ()
    """Matrix user ids that the message links to, while its text shows display names only."""
    thread_ended: bool = False
    """The ticket was moved, and goes on in another thread."""
    goes_on_in: str = ""
    """A link to that thread."""

    @property
    def unit(self) -> Unit:
        """The transaction, with its named queries."""
        return self.work.unit

    def is_in_thread_of(self, ticket: Ticket) -> bool:
        """Tell whether what happens in the ticket's thread is seen where this is said."""
        here = self.ticket_in_thread
        return here is not None and here.id == ticket.id and self.thread is not None and not self.thread_ended

    def ticket_here(self) -> Ticket | None:
        """Return the ticket of this thread; raises Refusal when it goes on elsewhere."""
        if self.ticket_in_thread is not None and self.thread_ended:
            raise refuse_ended(self.ticket_in_thread, self.goes_on_in)
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
