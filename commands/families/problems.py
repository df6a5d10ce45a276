# SPDX-License-Identifier: AGPL-3.0-or-later
"""`!link` and `!unlink`: which known bug a ticket is about."""

from commands.context import Context, Reply
from commands.grammar.declare import Commands
from commands.grammar.words import IssueNumber
from desk.problems import links
from storage.models import Ticket

family = Commands()


@family.command("link")
async def link(context: Context, ticket: Ticket, issue: IssueNumber) -> Reply:
    """Link a ticket to an issue of the tracker; its subject and status follow when they are read.

    Outside a thread give the ticket first. The issue's address does as well as its number.

    !link #9080
    !link https://redmine.example.org/issues/9080
    !link #12 #9080
    """
    return Reply(await links.link(context.work, ticket, issue, by=context.agent))


@family.command("unlink")
async def unlink(context: Context, ticket: Ticket, issue: IssueNumber) -> Reply:
    """Take a link to an issue off.

    !unlink #9080
    """
    return Reply(await links.unlink(context.work, ticket, issue))
