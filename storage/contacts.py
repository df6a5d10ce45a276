# SPDX-License-Identifier: AGPL-3.0-or-later
"""Named queries on keys of contacts and on pinned Matrix identities."""

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from storage.models import ContactKey, Pin
from storage.sealing import Vault


class Keys:
    """OpenPGP public keys of contacts."""

    def __init__(self, session: AsyncSession, vault: Vault) -> None:
        self._session = session
        self._vault = vault

    async def add(self, key: ContactKey, *, fingerprint: str, armor: bytes) -> ContactKey:
        """Add a key, sealed with a data key of its own."""
        key.fingerprint_tag = self._vault.tag("fingerprint", fingerprint)
        key.take_new_key(self._vault)
        key.fingerprint = fingerprint
        key.armor = armor
        self._session.add(key)
        await self._session.flush()
        return key

    async def of(self, contact_tag: str) -> Sequence[ContactKey]:
        """Return a contact's keys, oldest first."""
        query = select(ContactKey).where(ContactKey.contact_tag == contact_tag).order_by(ContactKey.id)
        return (await self._session.scalars(query)).all()

    async def every(self) -> Sequence[ContactKey]:
        """Return all keys."""
        return (await self._session.scalars(select(ContactKey).order_by(ContactKey.id))).all()


class Pins:
    """Which cross-signing identity each Matrix user was first seen with."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def every(self) -> Mapping[str, str]:
        """Return master keys by user id."""
        return {pin.user_id: pin.master_key for pin in await self._session.scalars(select(Pin))}

    async def set(self, pin: Pin) -> None:
        """Pin an identity, in place of an earlier one."""
        await self._session.merge(pin)
