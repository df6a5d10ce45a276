# SPDX-License-Identifier: AGPL-3.0-or-later
"""A mail that asks a user to confirm their key or to send one."""

from dataclasses import replace

from desk.context import Work
from desk.keys.decisions import contact_tag_of
from desk.keys.standing import current, waiting
from desk.replies import drafts, templates
from desk.replies.drafts import Answer
from desk.replies.protection import Path, protection_of
from desk.world import Refusal
from storage.models import Ticket

ASK_TEMPLATE = "key-ask"
"""The template with which `!key ask` asks; agents write it."""
CLEAR_TEMPLATE = "key-ask-clear"
"""The one with which it asks where nothing can be encrypted: nothing in it can come from the ticket."""


async def ask(work: Work, ticket: Ticket, answer: Answer, *, verified: bool) -> None:
    """Hold a mail that asks the user to confirm their key or to send one; `answer.text` is added to it.

    The words are those of the template `key-ask`. Where such a mail would be refused, since it cannot be
    encrypted and must not leave in clear, those of `key-ask-clear` leave in clear, and nothing else.
    Raises Refusal when there is no such template, and as `replies.begin`.
    """
    contact = contact_tag_of(ticket)
    try:
        await protection_of(work.unit, ticket, work.world.now())
    except Refusal as why:
        if not verified:
            raise Refusal(f"{why}\nTo ask for a key in clear, use a device that you have verified.") from None
        await _ask_in_clear(work, ticket, answer)
        return
    if await work.unit.templates.by_name(ASK_TEMPLATE) is None:
        raise Refusal(
            f"There is no template “{ASK_TEMPLATE}” yet, and I have no words of my own. Write one: "
            f"`!template add {ASK_TEMPLATE} en …`; {{fingerprint}} in it is the key that waits, or else "
            "the one in use."
        )
    keys = await work.unit.keys.held(contact)
    asked_about = waiting(keys)[-1] if waiting(keys) else current(keys)
    fingerprint = (asked_about.fingerprint or "") if asked_about is not None else "-"
    line = f"{ASK_TEMPLATE} fingerprint={fingerprint}\n{answer.text}"
    text = await templates.expand(work, ticket, line)
    await drafts.begin(work, ticket, replace(answer, text=text))


async def _ask_in_clear(work: Work, ticket: Ticket, answer: Answer) -> None:
    """Ask in clear, under the rules of `!reply --plain`."""
    if answer.text:
        raise Refusal(
            f"This leaves in clear, so only the text of the template “{CLEAR_TEMPLATE}” can leave: say "
            "`!key ask` alone, or `!reply --plain` with words of your own."
        )
    text = await templates.house_words(work, ticket, CLEAR_TEMPLATE)
    if text is None:
        raise Refusal(
            f"This leaves in clear, with words that are the same for everybody. Write them once: "
            f"`!template add {CLEAR_TEMPLATE} {ticket.language} …`; {{role}} in it is the desk's name."
        )
    request = replace(answer, text=text, path=Path.KEY_REQUEST)
    await drafts.begin(work, ticket, request)
