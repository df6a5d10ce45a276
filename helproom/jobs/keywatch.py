# SPDX-License-Identifier: AGPL-3.0-or-later
"""Looks, while the desk runs, whether the queues' keys come to their end."""

import structlog

from desk.house import House
from desk.keys.expiry import warn_of_expiry
from desk.world import World
from mail.openpgp.keyring import GpgExecutor, Keyring, KeyringUnusable
from storage.unit import Units

log = structlog.get_logger()

KEY_CHECK_SECONDS = 600


class KeyWatch:
    """The scheduled job; what was told lies in the database."""

    def __init__(
        self, units: Units, world: World, house: House, keyring: Keyring, workshop: GpgExecutor
    ) -> None:
        """Remember what is needed; nothing is looked at yet."""
        self._units = units
        self._world = world
        self._house = house
        self._keyring = keyring
        self._workshop = workshop

    async def look(self) -> None:
        """Look once."""
        try:
            keys = await self._workshop.run(self._keyring.secret_keys)
        except KeyringUnusable as trouble:
            log.warning("keywatch.keyring_unusable", trouble=str(trouble))
            return
        ends = {key.fingerprint: key.works_until for key in keys}
        async with self._units() as unit:
            await warn_of_expiry(unit, self._world, self._house, ends)
