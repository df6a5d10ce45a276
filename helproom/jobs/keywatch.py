# SPDX-License-Identifier: AGPL-3.0-or-later
"""Looks, while the desk runs, whether the queues' keys come to their end."""

import structlog

from desk.context import Workplace
from desk.keys.expiry import warn_of_expiry
from mail.openpgp.keyring import GpgExecutor, Keyring, KeyringUnusable

log = structlog.get_logger()

KEY_CHECK_SECONDS = 600


class KeyWatch:
    """The scheduled job; what was told lies in the database."""

    def __init__(self, place: Workplace, keyring: Keyring, workshop: GpgExecutor) -> None:
        """Remember what is needed; nothing is looked at yet."""
        self._place = place
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
        async with self._place.units() as unit:
            await warn_of_expiry(self._place.work(unit), ends)
