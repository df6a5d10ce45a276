# SPDX-License-Identifier: AGPL-3.0-or-later
"""`!quarantine`: letters that a person must look at."""

from commands.context import Context, Reply
from commands.declare import Commands
from commands.words import QuarantinedLetter, Unfit, brief, number_in
from desk import quarantine
from desk.posting import File
from desk.world import Refusal
from storage.models import Ticket

family = Commands()

_LONGEST_LIST = 30
_NEW = "new"


@family.command("quarantine list")
async def list_aside(context: Context) -> Reply:
    """List the letters in quarantine: number, queue, age, size and reason.

    In a queue's room these are the letters to its address; in the operators' room, all.

    !quarantine list
    """
    found = await quarantine.in_sight(context.unit, context.room)
    if not found:
        return Reply("Nothing is in quarantine.")
    lines = [quarantine.line_of(letter, context.world.now()) for letter in found]
    shown = "\n".join((f"In quarantine: {len(found)}", *lines[:_LONGEST_LIST]))
    more = len(lines) - _LONGEST_LIST
    if more <= 0:
        return Reply(shown)
    return Reply(
        f"{shown}\n… and {more} more in the file below.", file=File("quarantine.txt", "\n".join(lines))
    )


@family.command("quarantine show")
async def show(context: Context, letter: QuarantinedLetter) -> Reply:
    """Show a letter's headers and text, decrypted, or why it cannot be opened and the raw letter as a file.

    !quarantine show 7
    """
    await quarantine.ask_to_show(context.unit, context.world, letter, context.room, context.thread)
    return Reply(f"Letter {letter.id} is being opened.")


@family.command("quarantine release")
async def release(context: Context, letter: QuarantinedLetter, where: str = "") -> Reply:
    """Take a letter in after all: into the ticket it claims, into one that you name, or as a new ticket.

    !quarantine release 7
    !quarantine release 7 #12
    !quarantine release 7 new
    """
    ticket = await _target(context, letter, where)
    await quarantine.release(context.unit, context.world, letter, context.agent, ticket=ticket)
    goes = f"goes to ticket {ticket.id}" if ticket is not None else "becomes a new ticket"
    return Reply(f"Letter {letter.id} is opened again and {goes}.")


async def _target(context: Context, letter: QuarantinedLetter, where: str) -> Ticket | None:
    if not where:
        return await quarantine.claimed(context.unit, letter)
    if where.casefold() == _NEW:
        return None
    number = number_in(where)
    if number is None:
        raise Unfit(f"“{brief(where)}” is neither a ticket such as “#12” nor “{_NEW}”.")
    ticket = await context.unit.tickets.get(number, lock=True)
    if ticket is None:
        raise Refusal(f"There is no ticket {number}.")
    return ticket


@family.command("quarantine drop", dangerous=True)
async def drop(context: Context, letter: QuarantinedLetter) -> Reply:
    """Forget a letter for good; it stays counted, with who dropped it.

    !quarantine drop 7
    """
    quarantine.drop(letter, context.agent)
    return Reply(f"Letter {letter.id} is dropped: its words are gone, and it is counted as dropped by you.")
