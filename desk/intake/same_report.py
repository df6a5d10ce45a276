# SPDX-License-Identifier: AGPL-3.0-or-later
"""WhisperBack reports among the tickets: which ticket holds which, and the same one twice."""

import datetime as dt

from desk.context import Work
from desk.outbox.posts import ago, say_in_thread
from storage.models import Ticket


def line(ticket: Ticket, now: dt.datetime) -> str:
    """Return number, state, room and age of a report's ticket. The id is public: mail carries it in clear."""
    owner = f" by {ticket.owner}" if ticket.owner else ""
    room = f"room of “{ticket.queue}”"
    age = ago(ticket.opened_at, now)
    return f"#{ticket.id} · {ticket.state.value}{owner} · {room} · {age} · wb:{ticket.whisperback_id}"


async def tell_same(work: Work, ticket: Ticket) -> None:
    """Say in a new ticket's thread, and in those of the others, that they hold reports with one id.

    An id is random, so that it is the same report come twice, or somebody who writes under another's id.
    """
    if ticket.whisperback_id is None:
        return
    same = await work.unit.tickets.by_whisperback_id(ticket.whisperback_id)
    others = [each for each in same if each.id != ticket.id and each.whisperback_id == ticket.whisperback_id]
    if not others:
        return
    numbers = ", ".join(f"#{each.id} (room of “{each.queue}”)" for each in others)
    await say_in_thread(work, ticket, f"This report's WhisperBack id came before: {numbers}.")
    for each in others:
        text = f"A report with the same WhisperBack id came: #{ticket.id} (room of “{ticket.queue}”)."
        await say_in_thread(work, each, text)
