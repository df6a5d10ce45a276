# SPDX-License-Identifier: AGPL-3.0-or-later
"""`!parked` and `!unpark`: messages that could not be sent."""

from commands.context import Context, Reply
from commands.grammar.declare import Commands, Who
from commands.grammar.words import Unfit, brief, number_in
from desk.delivery import parked as parking
from desk.kinds import KINDS

family = Commands()


@family.command("parked", who=Who.ADMINS)
async def parked(context: Context) -> Reply:
    """List what could not leave, and why.

    !parked
    """
    return Reply(await parking.listed(context.unit))


@family.command("unpark", who=Who.ADMINS)
async def unpark(context: Context, row: str) -> Reply:
    """Try a parked row again, or all that could not go to a room.

    !unpark 7
    !unpark all
    """
    if row.casefold() == "all":
        return Reply(await parking.unpark_all(context.work, KINDS))
    number = number_in(row)
    if number is None:
        raise Unfit(f"“{brief(row)}” is neither a number nor `all`.")
    return Reply(await parking.unpark(context.work, KINDS, number))
