# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who is called by name, and for what; all else that the desk says alerts nobody."""

import datetime as dt
from collections.abc import Sequence

from desk.config import DeskConfig
from desk.context import Work
from desk.duty.rota import on_duty
from desk.outbox.kinds import Kind
from desk.outbox.posts import (
    IN_TICKET_THREAD,
    Say,
    home_of,
    lane_of,
    put,
    say_from_json,
    say_in,
    say_to_json,
)
from desk.outbox.ranks import Rank
from storage.models import Outbox, OutboxState, Ticket

PING = Kind("ping", is_said=True, may_wait=True)
"""What calls somebody to new tickets."""
BETWEEN_PINGS = dt.timedelta(minutes=2)
"""New tickets that come in this time after a ping of their room are told together."""
_LAST_MOMENT = dt.timedelta(seconds=5)
"""A ping that is due so soon may be on its way already, so that nothing is added to it."""
_MOST_NAMED = 5


def responsible(config: DeskConfig, ticket: Ticket, now: dt.datetime) -> tuple[str, ...]:
    """Return whom a ticket waits for: its owner, else whoever is on duty, else the queue's fallback."""
    if ticket.owner in config.agents:
        return (ticket.owner,)
    return on_duty(config.shifts, ticket.queue, now) or _fallback(config, ticket.queue)


def _fallback(config: DeskConfig, name: str) -> tuple[str, ...]:
    """The queue of an old ticket may have gone from the config."""
    return next((queue.fallback for queue in config.queues if queue.name == name), ())


async def call(work: Work, ticket: Ticket, text: str, *, rank: Rank = Rank.USUAL) -> None:
    """Say something in a ticket's thread to whoever is responsible for it when that leaves."""
    await _in_thread(work, ticket, Say(text, calls=True), rank)


async def mention(work: Work, ticket: Ticket, persons: Sequence[str | None], text: str) -> None:
    """Say something in a ticket's thread to these persons; nothing where there is nobody."""
    named = tuple(dict.fromkeys(person for person in persons if person))
    if named:
        await _in_thread(work, ticket, Say(text, mentions=named), Rank.ANSWER)


async def _in_thread(work: Work, ticket: Ticket, say: Say, rank: Rank) -> None:
    room = await home_of(work.unit, ticket)
    placed = Say(say.text, thread=ticket.event_id or IN_TICKET_THREAD, mentions=say.mentions, calls=say.calls)
    await say_in(work, room, placed, ticket=ticket, rank=rank)


async def tell_new(work: Work, ticket: Ticket) -> None:
    """Call whoever is on duty to a new ticket, or the queue's fallback; say so when there is nobody.

    What comes soon after another ping of the room waits, and is told together.
    """
    room = await home_of(work.unit, ticket)
    # Of two letters that come at once, one would else take the other's ticket out of the ping.
    await work.unit.rooms.lock(room)
    now = work.world.now()
    last = await work.unit.outbox.newest(PING.name, room.id)
    if last is not None and _can_grow(last, now):
        numbers = (*say_from_json(last.payload or "").tickets, ticket.id)
        last.payload = say_to_json(_ping(work.config, ticket.queue, numbers, now))
        return
    due = min(last.done_at or last.due_at, now) + BETWEEN_PINGS if last is not None else now
    # One that waits stands in a lane of its own, to keep nothing else from leaving.
    lane = lane_of(room) if due <= now else f"{lane_of(room)}/pings"
    payload = say_to_json(_ping(work.config, ticket.queue, (ticket.id,), now))
    row = await put(work, PING, lane, payload, room=room.id, ticket=ticket.id)
    row.due_at = max(due, now)


def _can_grow(row: Outbox, now: dt.datetime) -> bool:
    """One that was tried may have arrived: tried again, the homeserver answers that it has it already."""
    waits = row.due_at - now
    is_untried = row.state is OutboxState.PENDING and row.tries == 0
    return is_untried and _LAST_MOMENT < waits <= BETWEEN_PINGS


def _ping(config: DeskConfig, queue: str, numbers: tuple[int, ...], now: dt.datetime) -> Say:
    on_shift = on_duty(config.shifts, queue, now)
    called = on_shift or _fallback(config, queue)
    news = _news(numbers)
    if on_shift:
        text = f"{news}, you are on duty."
    elif called:
        text = f"{news}; nobody is on duty, so you are asked."
    else:
        text = f"{news[0].upper()}{news[1:]}, and nobody is on duty."
    thread = IN_TICKET_THREAD if len(numbers) == 1 else None
    return Say(text, thread=thread, mentions=called, tickets=numbers)


def _news(numbers: tuple[int, ...]) -> str:
    if len(numbers) == 1:
        return f"ticket {numbers[0]} is new"
    first, more = numbers[:_MOST_NAMED], len(numbers) - _MOST_NAMED
    named = [str(number) for number in first] + ([f"{more} more"] if more > 0 else [])
    return f"tickets {', '.join(named[:-1])} and {named[-1]} are new"
