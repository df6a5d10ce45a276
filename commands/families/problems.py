# SPDX-License-Identifier: AGPL-3.0-or-later
"""`!link` and `!unlink`: which known bug a ticket is about; `!top`: which bugs most people have met."""

import re
from dataclasses import replace

from commands.context import Context, Reply
from commands.grammar.declare import Commands
from commands.grammar.words import IssueNumber, Rest, brief
from desk.problems import links, top
from desk.problems.top import TopRequest
from desk.world import Refusal
from storage.models import Ticket

family = Commands()

_SPAN = re.compile(r"([1-9]\d{0,2})([dwmy])")
_DAYS = {"d": 1, "w": 7, "m": 30, "y": 365}


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


@family.command("top")
async def show_top(context: Context, words: Rest = Rest("")) -> Reply:
    """List what most people suffer from: problems by the number of people who have met them.

    Of the last 30 days if no time is given. lang: and version: count some people only.

    !top
    !top 90d lang:fr
    !top 4w version:7.1
    """
    return Reply(await top.top(context.work, _top_request(words)))


def _top_request(words: str) -> TopRequest:
    wanted = TopRequest()
    for word in words.split():
        key, colon, value = word.partition(":")
        if (span := _SPAN.fullmatch(word.casefold())) is not None:
            wanted = replace(wanted, days=int(span[1]) * _DAYS[span[2]])
        elif colon and value and key.casefold() == "lang":
            wanted = replace(wanted, language=value.casefold())
        elif colon and value and key.casefold() == "version":
            wanted = replace(wanted, version=value)
        else:
            raise Refusal(
                f"`!top` does not know “{brief(word)}”: say a time such as 30d, lang:fr or version:7."
            )
    return wanted
