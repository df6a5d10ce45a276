# SPDX-License-Identifier: AGPL-3.0-or-later
"""`!pins`: the Matrix identities of those who are in our rooms."""

from commands.context import Context, Reply
from commands.grammar.declare import Commands, Who
from commands.grammar.words import UserId
from desk.agents import identities
from desk.world import Refusal
from storage.models import RoomPurpose

family = Commands()


@family.command("pins list", who=Who.ADMINS)
async def show(context: Context) -> Reply:
    """List whose identity is known, and whose has changed. In the operators' room only.

    !pins list
    """
    _refuse_elsewhere(context)
    return Reply(await identities.listed(context.unit))


@family.command("pins accept", who=Who.ADMINS, dangerous=True)
async def accept(context: Context, user: UserId) -> Reply:
    """Accept somebody's changed identity, after you have made sure that it is theirs.

    !pins accept @ana:example.org
    """
    _refuse_elsewhere(context)
    return Reply(await identities.accept(context.work, user))


@family.command("pins drop", who=Who.ADMINS, dangerous=True)
async def drop(context: Context, user: UserId) -> Reply:
    """Forget somebody's identity: the next one that is seen counts, unchecked.

    !pins drop @kim:example.net
    """
    _refuse_elsewhere(context)
    return Reply(await identities.drop(context.work, user))


def _refuse_elsewhere(context: Context) -> None:
    if context.room.purpose is not RoomPurpose.OPERATORS:
        raise Refusal("Identities are looked after in the operators' room only.")
