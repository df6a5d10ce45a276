# SPDX-License-Identifier: AGPL-3.0-or-later
"""Public keys of users: kept when first seen, never replaced silently."""

from desk.opened import OfferedKey
from desk.policy import spaced
from desk.posting import say_in_thread
from desk.world import World
from storage.models import ContactKey, Ticket
from storage.states import KeyState
from storage.unit import Unit


async def offer(unit: Unit, world: World, ticket: Ticket, key: OfferedKey, *, by_user: bool) -> None:
    """Keep a key that came with a letter: the user's first one is used, others wait for a person's word.

    `by_user`: the letter came from the ticket's contact; who only knew the reply token may be anybody.
    """
    if ticket.contact_tag is None or key.problem:
        return
    known = await unit.keys.of(ticket.contact_tag)
    same = next((each for each in known if each.fingerprint == key.fingerprint), None)
    if same is not None and by_user:
        same.armor, same.expires_at = key.armor, key.expires_at
    if same is not None:
        return
    state = KeyState.CHANGED if known or not by_user else KeyState.SEEN
    await keep(unit, world, ticket.contact_tag, key, state)
    if state is KeyState.CHANGED:
        await say_in_thread(
            unit,
            world,
            ticket,
            f"{'The user sent another' if by_user else 'Somebody else than the user sent a'} public key, "
            f"{spaced(key.fingerprint)}. It is not used until it is accepted.",
        )


async def keep(unit: Unit, world: World, contact_tag: str, key: OfferedKey, state: KeyState) -> ContactKey:
    """Keep a contact's key in a given state."""
    row = ContactKey(
        ref=world.token(),
        contact_tag=contact_tag,
        source=key.source,
        state=state,
        seen_at=world.now(),
        expires_at=key.expires_at,
    )
    return await unit.keys.add(row, fingerprint=key.fingerprint, armor=key.armor)
