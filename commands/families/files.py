# SPDX-License-Identifier: AGPL-3.0-or-later
"""`!files` and `!file`: what users sent along."""

from commands.context import Context, Reply, told_elsewhere
from commands.grammar.declare import Commands
from commands.grammar.words import Unfit, Words, brief, number_in
from desk.tickets import received_files
from storage.models import Ticket

family = Commands()

_DANGEROUS = frozenset({"--dangerous", "—dangerous", "–dangerous"})


@family.command("files")
async def files(context: Context, ticket: Ticket) -> Reply:
    """List the files that came with the letters of a ticket, with their numbers.

    !files
    !files #12
    """
    found = await received_files.files_of(context.unit, ticket)
    if not found:
        return Reply(f"No file came with the letters of ticket {ticket.id}.")
    lines = "\n".join(file.line for file in found)
    return Reply(f"Files of ticket {ticket.id}; `!file 1` shows the first:", quote=lines)


@family.command("file")
async def file(context: Context, ticket: Ticket, numbers: Words) -> Reply | None:
    """Show files that the user sent, by their numbers in `!files`, encrypted in the ticket's thread.

    Pictures are shown as pictures, short texts as text, all else as a file. What may harm whoever opens it
    (an archive, a program, a document with macros) is shown only with --dangerous.

    !file 1
    !file 1 2
    !file #12 3 --dangerous
    """
    words = [word for word in numbers if word not in _DANGEROUS]
    wanted = [_number(word) for word in words]
    if not wanted:
        raise Unfit("Which file? `!files` lists them with their numbers.")
    await received_files.ask(
        context.work,
        ticket,
        tuple(dict.fromkeys(wanted)),
        dangerous=len(words) < len(numbers),
    )
    return await told_elsewhere(context, ticket, "What you asked for is shown")


def _number(word: str) -> int:
    number = number_in(word.rstrip(","))
    if not number:
        raise Unfit(f"“{brief(word)}” is not the number of a file.")
    return number
