# SPDX-License-Identifier: AGPL-3.0-or-later
"""`helproom keys`: public keys of contacts in, public keys of queues out."""

import argparse
import asyncio
import os

from desk.key_decisions import pin_imported
from desk.key_states import spaced
from desk.world import Refusal
from helproom import handover, logs
from helproom.outside import open_keyring
from helproom.sections import LARGEST_LETTER
from helproom.settings import Settings, find_config, read_settings
from helproom.terminal import complain, say
from helproom.world import real_world
from mail.offers import offered
from mail.openpgp import PublicKey, SecretKey, read_public_key
from storage.migrating import migrate
from storage.sealing import address_tag
from storage.unit import Units


def _settings(asked: argparse.Namespace) -> Settings:
    settings = read_settings(find_config(asked.config))
    logs.set_up(settings.log)
    os.umask(0o077)
    return settings


def import_key(asked: argparse.Namespace) -> int:
    """Store a contact's public key, to be used from now on in place of any other."""
    settings = _settings(asked)
    with asked.file.open("rb") as stream:
        key = read_public_key(stream.read(LARGEST_LETTER))
    if key.revoked or key.expired or not key.can_encrypt:
        raise Refusal("Nothing can be encrypted to this key: it is revoked, expired, or for signing only.")
    if asked.address.lower() not in key.addresses:
        complain("Note: the key does not name this address. Is it really this person's key?")
    asyncio.run(_import(settings, asked.address, key))
    say(f"Stored. Answers to this address are now encrypted to {spaced(key.fingerprint)}.")
    return os.EX_OK


async def _import(settings: Settings, address: str, key: PublicKey) -> None:
    units = handover.open_units(settings)
    try:
        await migrate(units.engine)
        async with units() as unit:
            await pin_imported(
                unit, real_world(), address_tag(units.vault, address), offered(key, "imported")
            )
    finally:
        await units.close()


def list_keys(asked: argparse.Namespace) -> int:
    """Show the queues' keys, and how many keys of contacts there are: those are sealed, and stay so."""
    settings = _settings(asked)
    keyring = open_keyring(settings)
    try:
        own = {key.fingerprint: key for key in keyring.secret_keys()}
    finally:
        keyring.close()
    for queue in settings.queues:
        key = own.get(queue.fingerprint)
        say(f"{queue.name}  {queue.address}  {spaced(queue.fingerprint)}  {_validity(key)}")
    say(f"Keys of contacts: {asyncio.run(_count(handover.open_units(settings)))}")
    return os.EX_OK


def _validity(key: SecretKey | None) -> str:
    if key is None:
        return "not in gnupg_home"
    if key.revoked:
        return "revoked"
    return f"until {key.expires.date().isoformat()}" if key.expires else "without end"


async def _count(units: Units) -> int:
    try:
        await migrate(units.engine)
        async with units() as unit:
            return len(await unit.keys.every())
    finally:
        await units.close()


def export_key(asked: argparse.Namespace) -> int:
    """Write a queue's public key to standard output, to be published."""
    settings = _settings(asked)
    queue = handover.house_of(settings).queue(asked.queue)
    keyring = open_keyring(settings)
    try:
        say(keyring.export_public_key(queue.fingerprint).decode("ascii").rstrip())
    finally:
        keyring.close()
    return os.EX_OK
