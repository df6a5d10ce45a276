# SPDX-License-Identifier: AGPL-3.0-or-later
"""Locks on messages, taken in one order everywhere."""

from storage.models import Message
from storage.unit import Unit


async def locked(unit: Unit, message_id: int) -> Message | None:
    """Return a message that no other unit can change meanwhile, nor its ticket.

    The ticket is locked first, as everywhere: two units that lock in different orders wait for each other.
    """
    found = await unit.messages.get(message_id)
    if found is None:
        return None
    await unit.tickets.get(found.ticket_id, lock=True)
    return await unit.messages.get(message_id, lock=True)
