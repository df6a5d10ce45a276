# SPDX-License-Identifier: AGPL-3.0-or-later
"""`!quarantine`: letters that a person must look at."""

from commands.context import Context, Reply
from commands.grammar.declare import Commands
from commands.grammar.words import QuarantinedLetter, Unfit, brief, number_in
from desk.outbox.posts import File
from desk.quarantine import letters
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
    found = await letters.in_sight(context.unit, context.room)
    if not found:
        return Reply("Nothing is in quarantine.")
    lines = [letters.line_of(letter, context.work.world.now()) for letter in found]
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

    Also an automatic answer or a bounce of which a ticket's thread was told.
    Of a letter that lies in a mailbox outside: why it was not taken in, its size, and where it is.

    !quarantine show 7
    """
    asked = await letters.ask_to_show(context.work, letter, context.room, context.thread)
    return Reply(asked)


@family.command("quarantine recheck")
async def recheck(context: Context, letter: QuarantinedLetter) -> Reply:
    """Open a letter again and judge it as if it came now: after a key has come, or what was wrong was mended.

    What comes of it is said where you ask. `!recheck` does this for the letters of a ticket.

    !quarantine recheck 7
    """
    return Reply(await letters.recheck(context.work, letter, context.room, context.thread))


@family.command("quarantine release")
async def release(context: Context, letter: QuarantinedLetter, where: str = "") -> Reply:
    """Take a letter in after all: into the ticket it claims, into one that you name, or as a new ticket.

    Name a queue to take it in as if it had come to that queue's address.

    !quarantine release 7
    !quarantine release 7 #12
    !quarantine release 7 new
    !quarantine release 7 en
    """
    queue = where.casefold() if where.casefold() in {each.name for each in context.work.config.queues} else ""
    ticket = await _target(context, letter, _NEW if queue else where)
    wanted = letters.TakeInRequest(context.agent, context.room, context.thread, ticket, queue)
    return Reply(await letters.release(context.work, letter, wanted))


async def _target(context: Context, letter: QuarantinedLetter, where: str) -> Ticket | None:
    if not where:
        return await letters.claimed(context.unit, letter)
    if where.casefold() == _NEW:
        return None
    number = number_in(where)
    if number is None:
        raise Unfit(f"“{brief(where)}” is neither a ticket such as “#12” nor “{_NEW}” nor a queue.")
    ticket = await context.unit.tickets.get(number, lock=True)
    if ticket is None:
        raise Refusal(f"There is no ticket {number}.")
    return ticket


@family.command("quarantine drop", dangerous=True)
async def drop(context: Context, letter: QuarantinedLetter) -> Reply:
    """Forget a letter for good; it stays counted, with who dropped it.

    One that lies in a mailbox outside is deleted there.

    !quarantine drop 7
    """
    return Reply(await letters.drop(context.work, letter, context.agent))
