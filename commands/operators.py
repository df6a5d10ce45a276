# SPDX-License-Identifier: AGPL-3.0-or-later
"""`!parked` and `!unpark`: what could not leave the house."""

from commands.context import Context, Reply
from commands.declare import Commands, Who
from commands.words import RowNumber
from desk import parking

family = Commands()


@family.command("parked", who=Who.ADMINS)
async def parked(context: Context) -> Reply:
    """List what could not leave, and why.

    !parked
    """
    return Reply(await parking.listed(context.unit))


@family.command("unpark", who=Who.ADMINS)
async def unpark(context: Context, row: RowNumber) -> Reply:
    """Try a parked row again.

    !unpark 7
    """
    return Reply(await parking.unpark(context.unit, context.world, row))
