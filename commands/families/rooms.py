# SPDX-License-Identifier: AGPL-3.0-or-later
"""`!room`: a disposable room for a tricky case."""

import datetime as dt

from commands.context import Context, Reply
from commands.grammar.declare import Commands
from commands.grammar.words import Unfit, Words, brief, duration, number_in, user_id
from desk.rooms import disposable
from desk.world import Refusal
from storage.models import RoomPurpose, Ticket

family = Commands()


@family.command("room open")
async def open_room(context: Context, ticket: Ticket, guests: Words = Words(())) -> Reply:
    """Open an encrypted room for a ticket, for a while, with you and those you name.

    The first word may be how long: 30m, 12h, 2d.

    !room open
    !room open 12h @user:example.org
    """
    life, names = _split(context, guests)
    # Beside pills there are the words of their names.
    typed = [name for name in names if name.startswith("@")] if context.event.pills else names
    people = (*context.event.pills, *map(user_id, typed))
    wish = disposable.RoomRequest(context.agent, life, people)
    return Reply(await disposable.open_room(context.work, ticket, wish))


def _split(context: Context, words: tuple[str, ...]) -> tuple[dt.timedelta | None, tuple[str, ...]]:
    life = duration(words[0]) if words else None
    if life is not None:
        return life, words[1:]
    if words and not context.event.pills and not words[0].startswith(("@", "https:")):
        raise Unfit(f"“{brief(words[0])}” is neither a time such as 12h nor a Matrix user id.")
    return None, words


@family.command("room close")
async def close_room(context: Context, number: Words = Words(())) -> Reply | None:
    """End the disposable room of a ticket: in its thread, with its number, or inside the room itself.

    !room close
    !room close #12
    """
    if context.room.purpose is RoomPurpose.DISPOSABLE:
        # No answer here: the bot will have left before it could say it.
        await disposable.close_room(context.work, context.room)
        return None
    ticket_id = _number(context, number)
    room = await context.unit.rooms.of_ticket(ticket_id)
    if room is None:
        raise Refusal(f"Ticket {ticket_id} has no disposable room.")
    return Reply(await disposable.close_room(context.work, room))


def _number(context: Context, words: tuple[str, ...]) -> int:
    named = number_in(words[0]) if words else None
    if words[1:] or (words and named is None):
        raise Unfit(f"I do not know what to do with “{brief(words[-1])}”.")
    if named is not None:
        return named
    here = context.ticket_here()
    if here is None:
        raise Unfit("Which ticket's room? Say it in the ticket's thread, or give its number.")
    return here.id
