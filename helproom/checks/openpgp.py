# SPDX-License-Identifier: AGPL-3.0-or-later
"""Checks on the queues' OpenPGP keys: there, not expiring, and able to decrypt and sign."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Iterator

from desk.letters.opened import EncryptionState
from helproom.checks.findings import Finding, ok, problem, warning
from helproom.checks.folders import strangers_in, trouble_with
from helproom.config.sections.queues import QueueSection
from helproom.config.settings import Settings
from helproom.world import real_world
from mail.openpgp.keyring import KeyRefused, Keyring, KeyringUnusable, SealRefused, SecretKey

_SOON = dt.timedelta(days=60)
_SAMPLE = b"Helproom tries its key.\n"


async def check_openpgp(settings: Settings) -> AsyncIterator[Finding]:
    """Encrypt a text to each queue's key, signed by it, and open it again."""
    home = settings.mail.gnupg_home
    # Before GnuPG starts, which gives the home the right mode without a word.
    if trouble := trouble_with(home) or strangers_in(home):
        yield problem("OpenPGP", trouble)
        return
    keyring = await asyncio.to_thread(settings.mail.open_keyring)
    try:
        for surplus in await asyncio.to_thread(_surplus, keyring, settings):
            yield surplus
        for queue in settings.queues:
            for finding in await asyncio.to_thread(_findings, keyring, queue):
                yield finding
    finally:
        await asyncio.to_thread(keyring.close)


def _findings(keyring: Keyring, queue: QueueSection) -> list[Finding]:
    return list(_look(keyring, queue))


def _look(keyring: Keyring, queue: QueueSection) -> Iterator[Finding]:
    part = f"OpenPGP key of {queue.name}"
    key = next((key for key in keyring.secret_keys() if key.fingerprint == queue.fingerprint), None)
    if key is None:
        yield problem(part, "The secret key of this fingerprint is not in gnupg_home: import it there.")
        return
    yield _expiry(part, queue, key)
    address = queue.address.lower()
    if not any(user_id.lower() == address or f"<{address}>" in user_id.lower() for user_id in key.user_ids):
        yield warning(part, "The key does not name the queue's address: mail programs will not find it.")
    if trouble := _trial(keyring, key):
        yield problem(part, trouble)
    else:
        yield ok(part, "It decrypts and signs.")


def _surplus(keyring: Keyring, settings: Settings) -> list[Finding]:
    wanted = {queue.fingerprint for queue in settings.queues}
    return [
        warning(
            f"OpenPGP key {key.fingerprint[-16:]}",
            "No queue has this secret key. Delete it from gnupg_home if no letters to it are expected.",
        )
        for key in keyring.secret_keys()
        if key.fingerprint not in wanted
    ]


def _expiry(part: str, queue: QueueSection, key: SecretKey) -> Finding:
    extend = f"extend it with `helproom keys expire {queue.name} 2y` and publish it"
    end = key.works_until
    if key.revoked:
        return problem(part, "It is revoked: make a new key for the queue.")
    if end is None:
        return ok(part, "It is valid, without end.")
    if end <= real_world().now():
        return problem(part, f"It has expired, or a subkey that is needed has: {extend}.")
    if end - real_world().now() < _SOON:
        return warning(
            part, f"It, or a subkey that is needed, expires on {end.date().isoformat()}: {extend}."
        )
    return ok(part, f"It is valid until {end.date().isoformat()}.")


def _trial(keyring: Keyring, key: SecretKey) -> str | None:
    try:
        public = keyring.export_public_key(key.fingerprint)
        sealed = keyring.encrypt_and_sign(_SAMPLE, to=[public], signer=key.fingerprint)
        opened = keyring.decrypt(sealed.armor, [public])
    except (SealRefused, KeyRefused) as error:
        return str(error)
    except KeyringUnusable as error:
        return f"{error} Is the passphrase in mail.passphrase_file that of this key?"
    if opened.encryption.state is not EncryptionState.OK or opened.data != _SAMPLE:
        return f"It does not open what was encrypted to it. {opened.encryption.detail}"
    return None
