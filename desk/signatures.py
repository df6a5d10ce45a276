# SPDX-License-Identifier: AGPL-3.0-or-later
"""What stands below every answer, in the user's language: a role, and never the one who wrote it."""

from desk.house import House
from desk.templates import chain, fill, variables_of
from desk.world import Refusal
from storage.models import Ticket
from storage.unit import Unit

SIGNATURE_TEMPLATE = "signature"
"""The template that agents write it in; without it, nothing stands there."""


async def with_signature(unit: Unit, house: House, ticket: Ticket, text: str) -> str:
    """Return the text, the signature below it (RFC 3676, 4.3); raises Refusal when it cannot be filled."""
    template = await unit.templates.by_name(SIGNATURE_TEMPLATE)
    if template is None:
        return text
    texts = {each.language: each.text for each in template.variants}
    wording = next((texts[each] for each in chain(ticket.language, house) if each in texts), None)
    if wording is None:
        return text
    # Nothing of the ticket: it goes below mails in clear, too.
    values = {**house.variables, "role": house.queue(ticket.mailbox).role_name}
    unknown = [each for each in variables_of(SIGNATURE_TEMPLATE, wording) if not values.get(each.casefold())]
    if unknown:
        raise Refusal(
            f"The template “{SIGNATURE_TEMPLATE}” has a variable that nothing fills: {', '.join(unknown)}. "
            f"`!template edit {SIGNATURE_TEMPLATE}` it first."
        )
    return f"{text}\n\n-- \n{fill(SIGNATURE_TEMPLATE, wording, values)}"
