# SPDX-License-Identifier: AGPL-3.0-or-later
"""Ciphertexts that come again from somebody else, who may only hope to be told what stands in them."""

from dataclasses import replace

from desk.opened import Opened
from desk.world import World
from storage.models import Ciphertext, Letter
from storage.sealing import address_tag
from storage.unit import Unit

_AGAIN = (
    "The same ciphertext came before, on {date}, from somebody else. Who sends it now may not be able "
    "to read it: answer without telling what stands in it."
)


async def with_warning(
    unit: Unit, world: World, letter: Letter, opened: Opened, contact: str | None
) -> Opened:
    """Keep what was opened in mind, and warn where another contact had sent it before."""
    warnings = []
    contact_tag = address_tag(unit.vault, contact) if contact else None
    for digest in opened.sessions:
        tag = unit.vault.tag("session key", digest)
        seen = Ciphertext(tag=tag, letter_id=letter.id, contact_tag=contact_tag, seen_at=world.now())
        first = await unit.letters.first_with(seen)
        if first.letter_id != letter.id and first.contact_tag != contact_tag:
            warnings.append(_AGAIN.format(date=f"{first.seen_at:%Y-%m-%d}"))
    if not warnings:
        return opened
    return replace(opened, problems=(*opened.problems, *dict.fromkeys(warnings)), is_replayed=True)
