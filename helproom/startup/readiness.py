# SPDX-License-Identifier: AGPL-3.0-or-later
"""Looks at the start whether the queues' OpenPGP keys are the right ones."""

import asyncio
from collections.abc import Iterable

from helproom.config.credentials import SecretUnusable
from helproom.config.sections.queues import QueueSection
from helproom.config.settings import Settings
from mail.openpgp.keyring import Keyring, SealRefused

_SAMPLE = b"Helproom tries its key.\n"


async def refuse_unusable_keys(keyring: Keyring, settings: Settings) -> None:
    """Raise SecretUnusable when a queue's secret key is missing, KeyringUnusable when none can be used."""
    await asyncio.to_thread(_try_keys, keyring, settings.queues, str(settings.mail.gnupg_home))


def _try_keys(keyring: Keyring, queues: Iterable[QueueSection], home: str) -> None:
    present = {key.fingerprint for key in keyring.secret_keys()}
    for queue in queues:
        if queue.fingerprint not in present:
            raise SecretUnusable(
                f"The secret key of queue “{queue.name}” is not in {home}: "
                "import it there, or correct its fingerprint in the config."
            )
        try:
            keyring.sign_detached(_SAMPLE, signer=queue.fingerprint)
        except SealRefused:
            # An expired key still opens letters; the operators' room hears of its end.
            continue
