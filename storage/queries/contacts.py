# SPDX-License-Identifier: AGPL-3.0-or-later
"""Named queries on keys of contacts and on pinned Matrix identities."""

import datetime as dt
from collections.abc import Collection, Sequence

from sqlalchemy import Select, select

from storage.models import ContactKey, KnownOnce, Pin
from storage.queries.base import Queries
from storage.sealing.vault import TagKind


class Keys(Queries):
    """OpenPGP public keys of contacts."""

    async def add(self, key: ContactKey, *, fingerprint: str, armor: bytes) -> ContactKey:
        """Add a key, sealed with a data key of its own."""
        key.fingerprint_tag = self._vault.tag(TagKind.FINGERPRINT, fingerprint)
        key.take_new_key(self._vault)
        key.fingerprint = fingerprint
        key.armor = armor
        self._session.add(key)
        await self._session.flush()
        return key

    async def held(self, contact_tag: str) -> Sequence[ContactKey]:
        """Return a contact's keys as `of`; until this unit ends, no other adds or decides on one of them."""
        await self._lock(contact_tag)
        query = _oldest_first(contact_tag).execution_options(populate_existing=True)
        return (await self._session.scalars(query)).all()

    async def of(self, contact_tag: str) -> Sequence[ContactKey]:
        """Return a contact's keys, oldest first."""
        return (await self._session.scalars(_oldest_first(contact_tag))).all()

    async def of_any(self, contact_tags: Collection[str]) -> Sequence[ContactKey]:
        """Return the keys of several contacts, oldest first."""
        if not contact_tags:
            return []
        query = select(ContactKey).where(ContactKey.contact_tag.in_(contact_tags)).order_by(ContactKey.id)
        return (await self._session.scalars(query)).all()

    async def drop(self, key: ContactKey) -> None:
        """Delete a key that was never used."""
        await self._session.delete(key)

    async def forget(self, keys: Sequence[ContactKey], mark: KnownOnce) -> None:
        """Delete keys with all that is sealed in them; `mark` stays."""
        for key in keys:
            await self._session.delete(key)
        await self._session.merge(mark)

    async def known_once(self, contact_tag: str) -> bool:
        """Tell whether keys of a contact were known and forgotten."""
        return await self._session.get(KnownOnce, contact_tag) is not None

    async def oldest(self) -> ContactKey | None:
        """Return the key that was kept first, of whomever."""
        return await self._session.scalar(select(ContactKey).order_by(ContactKey.id).limit(1))

    async def every(self) -> Sequence[ContactKey]:
        """Return all keys."""
        return (await self._session.scalars(select(ContactKey).order_by(ContactKey.id))).all()


def _oldest_first(contact_tag: str) -> Select[ContactKey]:
    return select(ContactKey).where(ContactKey.contact_tag == contact_tag).order_by(ContactKey.id)


class Pins(Queries):
    """Which cross-signing identity each Matrix user was first seen with, found by a tag of the user id."""

    async def every(self) -> Sequence[Pin]:
        """Return all pins, oldest first."""
        return (await self._session.scalars(select(Pin).order_by(Pin.pinned_at, Pin.user_tag))).all()

    async def get(self, user_id: str) -> Pin | None:
        """Return a user's pin."""
        return await self._session.get(Pin, self._tag(user_id))

    async def put(self, user_id: str, master_key: str, at: dt.datetime) -> None:
        """Pin an identity, in place of an earlier one."""
        pin = await self.get(user_id)
        if pin is None:
            pin = Pin(user_tag=self._tag(user_id), ref=self._tag(user_id), pinned_at=at)
            pin.take_new_key(self._vault)
            self._session.add(pin)
        pin.user_id, pin.master_key, pin.shown_key, pin.pinned_at = user_id, master_key, None, at

    async def drop(self, user_id: str) -> None:
        """Forget a user's pin, if there is one."""
        pin = await self.get(user_id)
        if pin is not None:
            await self._session.delete(pin)

    def _tag(self, user_id: str) -> str:
        return self._vault.tag(TagKind.PIN, user_id)
