# SPDX-License-Identifier: AGPL-3.0-or-later
"""`!reply`, `!send`, `!cancel`: answers to users."""

from commands.context import Context, Reply
from commands.declare import Commands
from commands.words import Rest
from desk import replies, templates
from desk.world import Refusal
from storage.models import Message, Ticket

family = Commands()


@family.command("reply", aliases=("r", "answer"))
async def reply(context: Context, ticket: Ticket, text: Rest) -> None:
    """Answer the user: with your own words, or with a template.

    All of the message is taken, line breaks included. When the first line is the name of a template (and
    key=value pairs for its variables), the template is used, and what stands below it is added.
    A preview shows what is going to leave, to whom and how protected; then it waits in the hold.

    !reply Hello,
    !reply wifi
    !reply known-issue link=https://example.org/1
    """
    filled = await templates.expand(context.unit, context.house, ticket, text)
    answer = replies.Answer(context.agent, filled, context.said_at)
    await replies.begin(context.unit, context.world, context.house, ticket, answer)


@family.command("send")
async def send(context: Context, ticket: Ticket) -> None:
    """Send the held answer of a ticket now. ✅ on its preview does the same.

    !send
    """
    await replies.send(context.unit, context.world, await _held(context, ticket))


@family.command("cancel")
async def cancel(context: Context, ticket: Ticket) -> Reply:
    """Take the held answer of a ticket back. ❌ on its preview does the same.

    !cancel
    """
    await replies.cancel(context.unit, context.world, await _held(context, ticket), context.agent)
    return Reply("Taken back: the answer does not leave.")


async def _held(context: Context, ticket: Ticket) -> Message:
    draft = await context.unit.messages.open_reply(ticket, lock=True)
    if draft is None:
        raise Refusal(f"No answer is held in ticket {ticket.id}.")
    return draft
