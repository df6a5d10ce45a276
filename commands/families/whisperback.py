# SPDX-License-Identifier: AGPL-3.0-or-later
"""`!wb`: a report by the id that developers cite."""

from commands.context import Context, Reply
from commands.grammar.declare import Commands
from commands.grammar.words import Reports
from desk.intake import same_report

family = Commands()


@family.command("wb", aliases=("whisperback",))
async def find_report(context: Context, report: Reports) -> Reply:
    """Find the ticket of a WhisperBack report by its id, or by the first digits of it.

    !wb 40cd8f2ebf1326ba950bb700fcf4e633
    !wb wb:40cd8f2e
    """
    if not report:
        return Reply("No ticket holds a report with this WhisperBack id (any more).")
    return Reply("\n".join(same_report.line(ticket, context.work.world.now()) for ticket in report))
