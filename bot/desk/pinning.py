# SPDX-License-Identifier: AGPL-3.0-or-later
"""Pinned identities between the database and `Trust`: kept, told when they change, accepted and forgotten."""

from collections.abc import Mapping

from bot.carriers.senders import Carrier, guarded
from bot.identity.trust import IdentityTrust, Judgement, PinnedIdentity, Trust
from desk.agents import identities
from desk.context import Workplace
from desk.outbox.kinds import Kind
from desk.outbox.outcomes import Delivered, OutboxItem, Outcome
from desk.outbox.posts import tell_operators


class Pinning:
    """What `Trust` remembers by, and whom it tells."""

    def __init__(self, place: Workplace) -> None:
        self._place = place

    async def known(self) -> Mapping[str, str]:
        """Return pinned master keys by user id."""
        async with self._place.units() as unit:
            return {pin.user_id or "": pin.master_key or "" for pin in await unit.pins.every()}

    async def keep(self, fresh: tuple[PinnedIdentity, ...]) -> None:
        """Write pins down."""
        async with self._place.units() as unit:
            for pin in fresh:
                await unit.pins.put(pin.user_id, pin.master_key, self._place.world.now())

    async def report(self, found: Judgement) -> None:
        """Tell the operators of a changed identity."""
        async with self._place.units() as unit:
            await identities.changed(self._place.work(unit), found.user_id, found.master_key or "")


class PinSenders:
    """Carries the rows by which people accept or drop identities; each may be carried twice."""

    def __init__(self, place: Workplace, trust: Trust) -> None:
        self._place = place
        self._trust = trust

    def table(self) -> Mapping[Kind, Carrier]:
        """Return which kind of row is carried how."""
        return {identities.ACCEPT: guarded(self._accept), identities.DROP: guarded(self._drop)}

    async def _accept(self, parcel: OutboxItem) -> Outcome:
        wish = identities.wish_from_json(parcel.payload)
        found = await self._trust.accept(wish.user_id, wish.master_key)
        is_theirs = found.master_key == wish.master_key
        if is_theirs and found.standing is IdentityTrust.PINNED:
            words = f"The new identity of {wish.user_id} is accepted: `{wish.master_key}`."
        elif is_theirs:
            words = f"The new identity of {wish.user_id} is accepted, but it cannot sign devices yet."
        else:
            words = f"{wish.user_id} shows yet another identity now, so that nothing was accepted."
        return await self._told(words)

    async def _drop(self, parcel: OutboxItem) -> Outcome:
        wish = identities.wish_from_json(parcel.payload)
        async with self._place.units() as unit:
            await unit.pins.drop(wish.user_id)
        await self._trust.forget(wish.user_id)
        if wish.quietly:
            return Delivered()
        return await self._told(f"The identity of {wish.user_id} is forgotten.")

    async def _told(self, words: str) -> Outcome:
        async with self._place.units() as unit:
            await tell_operators(self._place.work(unit), words)
        return Delivered()
