# SPDX-License-Identifier: AGPL-3.0-or-later
"""`!reply`, `!send`, `!cancel`: answers to users."""

from commands.captions import attach_own_file
from commands.context import Context, Reply, told_elsewhere
from commands.grammar.declare import Commands
from commands.grammar.words import Remaining, Rest
from desk.replies import drafts, templates
from desk.replies.protection import Path
from desk.world import Refusal
from storage.models import Message, Ticket

family = Commands()

# Some keyboards make one long dash of two short ones.
_PLAIN = frozenset({"--plain", "—plain", "–plain"})
_QUOTE = frozenset({"--quote", "—quote", "–quote"})


@family.command("reply", aliases=("r", "answer"))
async def reply(context: Context, ticket: Ticket, text: Rest) -> Reply | None:
    """Answer the user: with your own words, or with a template.

    All of the message is taken, line breaks included. When the first line is the name of a template (and
    key=value pairs for its variables), the template is used, and what stands below it is added.
    A preview shows what is going to leave, to whom and how protected; then it waits in the hold.

    With --quote first, the user's last message stands above it, quoted, without older quotes and signatures.
    It can only leave where it is no less protected than what it quotes.

    With --plain first, your own words leave in clear where the desk would refuse to: no template, nothing of
    what the user wrote, not even the subject. It needs a verified device, and everybody is told.

    !reply Hello,
    !reply wifi
    !reply known-issue link=https://example.org/1
    !reply --quote Yes, exactly that.
    !reply --plain Please write to us again, and send your public key along.
    """
    option, after = Remaining(text).word()
    if option in _PLAIN:
        await _reply_in_clear(context, ticket, after.rest())
        return await told_elsewhere(context, ticket, "The preview is")
    quotes = option in _QUOTE
    words = after.rest() if quotes else text
    _refuse_option(words)
    if not words:
        raise Refusal("Something is missing: your words, after --quote.")
    command = "!reply" if context.is_in_thread_of(ticket) else f"!reply #{ticket.id}"
    filled = await templates.expand(context.work, ticket, words, command)
    answer = drafts.Answer(
        context.agent,
        filled,
        context.said_at,
        quotes=quotes,
        takes_files=True,
        asked_by=context.event.original_id,
    )
    await attach_own_file(context, ticket)
    await drafts.begin(context.work, ticket, answer)
    return await told_elsewhere(context, ticket, "The preview is")


def _refuse_option(words: str) -> None:
    """No option is taken for the beginning of a text, nor the other way round."""
    option, _ = Remaining(words).word()
    if option in _PLAIN | _QUOTE:
        raise Refusal(
            "`--plain` and `--quote` cannot be combined: a plain answer must not repeat the user's words."
        )
    if option.startswith("--") and option.strip("-"):
        raise Refusal(f"`!reply` has no {option[:20]}, only --quote and --plain. Begin with another word.")


async def _reply_in_clear(context: Context, ticket: Ticket, text: str) -> None:
    if not context.event.verified:
        raise Refusal(
            "`!reply --plain` needs a device that you have verified (cross-signed). Nothing was sent."
        )
    _refuse_option(text)
    if not text:
        raise Refusal("Something is missing: your words, after --plain.")
    if await templates.expand(context.work, ticket, text) != text:
        raise Refusal("With --plain only your own words can leave, no template.")
    answer = drafts.Answer(
        context.agent,
        text,
        context.said_at,
        Path.PLAIN,
        takes_files=True,
        asked_by=context.event.original_id,
    )
    await attach_own_file(context, ticket)
    await drafts.begin(context.work, ticket, answer)


@family.command("send")
async def send(context: Context, ticket: Ticket) -> Reply | None:
    """Send the held answer of a ticket now. ✅ on its preview does the same.

    !send
    """
    await drafts.send(context.work, await _held(context, ticket))
    if context.is_in_thread_of(ticket):
        return None
    return Reply(f"The answer in ticket {ticket.id} is on its way.")


@family.command("cancel")
async def cancel(context: Context, ticket: Ticket) -> Reply:
    """Take the held answer of a ticket back. ❌ on its preview does the same.

    !cancel
    """
    await drafts.cancel(context.work, await _held(context, ticket), context.agent)
    return Reply("Cancelled: the answer will not be sent.", done=True)


async def _held(context: Context, ticket: Ticket) -> Message:
    draft = await context.unit.messages.open_reply(ticket, lock=True)
    if draft is None:
        raise Refusal(f"No answer is held in ticket {ticket.id}.")
    return draft
