# SPDX-License-Identifier: AGPL-3.0-or-later
"""What agents decide about a ticket; each decision shows in the announcement."""

import re

from desk.context import Work
from desk.duty.pings import mention
from desk.outbox.posts import announce, answer_in_thread, show_state
from desk.outbox.ranks import Rank
from desk.rooms.names import link_to
from desk.tickets import threads
from desk.world import Refusal
from storage.models import Message, MessageKind, Ticket

_TAG = re.compile(r"[^\W_][\w.+-]{0,39}")


async def claim(work: Work, ticket: Ticket, agent: str, *, rank: Rank = Rank.EDIT) -> None:
    """Make the agent the owner; of several at once one wins and the others read who.

    `rank` is how soon the announcement has to show it. The caller holds the ticket's lock. Raises Refusal
    when somebody owns it or it is closed.
    """
    if ticket.owner == agent:
        raise Refusal(f"Ticket {ticket.id} is yours already.")
    if ticket.owner is not None:
        raise Refusal(f"Ticket {ticket.id} is claimed by {ticket.owner}.")
    if ticket.closed_at is not None:
        raise Refusal(f"Ticket {ticket.id} is closed. `!reopen` it first.")
    ticket.owner = agent
    await show_state(work, ticket, rank=rank)


async def release(work: Work, ticket: Ticket, agent: str) -> None:
    """Give the ticket back; raises Refusal when it is not the agent's."""
    if ticket.owner is None:
        raise Refusal(f"Nobody has claimed ticket {ticket.id}.")
    if ticket.owner != agent:
        raise Refusal(
            f"Ticket {ticket.id} is claimed by {ticket.owner}, not by you. `!assign` hands it to somebody."
        )
    ticket.owner = None
    await show_state(work, ticket)


async def assign(work: Work, ticket: Ticket, to: str, *, by: str) -> None:
    """Hand the ticket to an agent, whoever had it; raises Refusal when that is nobody of the desk."""
    if to not in work.config.agents:
        raise Refusal(f"{to} is not an agent of this desk.")
    if ticket.closed_at is not None:
        raise Refusal(f"Ticket {ticket.id} is closed. `!reopen` it first.")
    before, ticket.owner = ticket.owner, to
    concerned = [person for person in (to, before) if person != by]
    await mention(work, ticket, concerned, f"{by} has given ticket {ticket.id} to {to}.")
    await show_state(work, ticket)


async def note(work: Work, ticket: Ticket, agent: str, text: str) -> Message:
    """Keep a note for the team; it never leaves the house."""
    message = Message(
        ref=work.world.token(),
        ticket=ticket,
        kind=MessageKind.NOTE,
        at=work.world.now(),
        author=agent,
        state=None,
    )
    message.text = text
    return await work.unit.messages.add(message)


def tag_name(word: str) -> str:
    """Return a tag as it is stored; raises Refusal when the word cannot be one."""
    name = word.removeprefix("#").casefold()
    if not _TAG.fullmatch(name):
        raise Refusal(f"“{word[:60]}” cannot be a tag: use letters, digits, and . + - inside, at most 40.")
    return name


async def tag(work: Work, ticket: Ticket, words: tuple[str, ...]) -> list[str]:
    """Put tags on; return those that are new."""
    added = [name for name in map(tag_name, words) if await work.unit.tickets.tag(ticket, name)]
    if added:
        await show_state(work, ticket)
    return added


async def untag(work: Work, ticket: Ticket, words: tuple[str, ...]) -> list[str]:
    """Take tags off; return those that were there."""
    taken = [name for name in map(tag_name, words) if await work.unit.tickets.untag(ticket, name)]
    if taken:
        await show_state(work, ticket)
    return taken


async def close(work: Work, ticket: Ticket, reason: str, *, by: str) -> None:
    """Close the ticket; its thread is told the reason, and its owner if that is somebody else.

    Raises Refusal when it is closed or an answer is held."""
    if ticket.closed_at is not None:
        raise Refusal(f"Ticket {ticket.id} is closed already.")
    if await work.unit.messages.open_reply(ticket) is not None:
        raise Refusal("An answer in this ticket has not left yet: `!send` or `!cancel` it first.")
    await work.unit.enclosures.drop(*await work.unit.enclosures.besides_leaving(ticket))
    ticket.closed_at, ticket.closed_by = work.world.now(), by
    ticket.close_reason = reason or None
    why = f": {reason}" if reason else "."
    if ticket.owner not in {None, by}:
        await mention(work, ticket, [ticket.owner], f"{by} has closed your ticket {ticket.id}{why}")
    elif reason:
        await answer_in_thread(work, ticket, f"{by} has closed ticket {ticket.id}{why}")
    await show_state(work, ticket)


async def reopen(work: Work, ticket: Ticket) -> None:
    """Open a closed ticket again; raises Refusal when it is open."""
    if ticket.closed_at is None:
        raise Refusal(f"Ticket {ticket.id} is open.")
    ticket.closed_at = ticket.closed_by = ticket.close_reason = None
    await show_state(work, ticket)


async def set_language(work: Work, ticket: Ticket, language: str, *, by: str) -> str | None:
    """Set the ticket's language, and move it to that language's room when there is one.

    Returns the name of the queue it moved to, or None when it stayed. A move ends the old thread, whose
    announcement says so, and announces the ticket anew, so that its thread is in the new room.
    """
    ticket.language = language
    await work.unit.problems.update_sightings(ticket)
    whose = ticket.owner if ticket.owner != by else None
    words = f"{by} has set the language of your ticket {ticket.id} to “{language}”"
    target = work.config.queue_for_language(language)
    if target is None or target.name == ticket.queue:
        await mention(work, ticket, [whose], f"{words}.")
        await show_state(work, ticket)
        return None
    home = await work.unit.rooms.of_queue(target.name)
    link = link_to(home) if home is not None else ""
    where = f"the room of “{target.name}”{f': {link}' if link else '.'}"
    if whose is not None:
        await mention(work, ticket, [whose], f"{words}. It goes on in {where}")
    else:
        await answer_in_thread(work, ticket, f"Ticket {ticket.id} goes on in {where}")
    await threads.end_all(work, ticket)
    ticket.queue = target.name
    ticket.event_id = None
    await work.unit.flush()
    await announce(work, ticket)
    return target.name
