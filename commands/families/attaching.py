# SPDX-License-Identifier: AGPL-3.0-or-later
"""`!attach` and `!detach`: files that leave with an answer."""

from commands.captions import attach_file
from commands.context import Context, Reply
from commands.grammar.declare import Commands
from commands.grammar.words import Words
from desk.replies import attaching
from storage.models import Ticket

family = Commands()


@family.command("attach")
async def attach(context: Context, ticket: Ticket) -> None:
    """Let a file leave with the held answer, or else with the next one.

    Put the file into the ticket's thread first. Then say this there: as a reply to the file, as its
    caption, or by itself for the newest file of yours in the thread; once for each file. It leaves as it is,
    with all that is in it (a picture may tell where and when it was taken), and as protected as the answer.
    The preview lists it.

    !attach
    """
    file = context.event.original_id if context.event.is_file else context.event.relates_to
    await attach_file(context, ticket, file)


@family.command("detach")
async def detach(context: Context, ticket: Ticket, name: Words = Words(())) -> Reply:
    """Take files away from the held answer, or from the next one: one by its name, or all.

    !detach
    !detach screenshot.png
    """
    taken = await attaching.detach(context.work, ticket, " ".join(name))
    return Reply(f"Removed, and will not be sent: {', '.join(taken)}.")
