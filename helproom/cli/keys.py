# SPDX-License-Identifier: AGPL-3.0-or-later
"""`helproom keys list` and `import`: what keys there are, and keys in."""

import argparse
import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from desk.context import Work
from desk.intake.recheck import named, tell_of_new_key
from desk.keys.decisions import forget_by_sysadmin, pin_imported
from desk.keys.listing import WITHOUT_KEYS, described
from desk.keys.offers import KeyGrown
from desk.keys.standing import spaced
from desk.world import Refusal
from helproom import logs
from helproom.cli.terminal import complain, say
from helproom.config import for_desk
from helproom.config.sections.mail_in import LARGEST_LETTER
from helproom.config.settings import Settings, find_config, read_settings
from helproom.startup.masterkey import refuse_other_master_key
from helproom.world import real_world
from mail.openpgp.keyring import SecretKey, read_public_key
from mail.openpgp.merging import merged_offer
from mail.openpgp.packets import holds_secrets
from mail.openpgp.public_keys import offered
from storage.engine.troubles import StorageTrouble
from storage.migrating import migrate
from storage.sealing.vault import address_tag
from storage.unit import Units

T = TypeVar("T")


def settings_of(asked: argparse.Namespace) -> Settings:
    """Read the config that a command is about."""
    settings = read_settings(find_config(asked.config))
    logs.set_up(settings.log)
    os.umask(0o077)
    return settings


def import_key(asked: argparse.Namespace) -> int:
    """Store a contact's public key, or a secret key for a queue."""
    settings = settings_of(asked)
    with asked.file.open("rb") as stream:
        content = stream.read(LARGEST_LETTER)
    if holds_secrets(content):
        return _import_secret(settings, content, asked.address)
    return _import_public(settings, content, asked.address)


def _import_secret(settings: Settings, content: bytes, address: str | None) -> int:
    if address is not None:
        raise Refusal(
            "This is a secret key. Of contacts only public keys are wanted; for a queue, leave --address out."
        )
    keyring = settings.mail.open_keyring()
    try:
        fingerprint = keyring.import_secret_key(content)
    finally:
        keyring.close()
    queues = [queue.name for queue in settings.queues if queue.fingerprint == fingerprint]
    use = f"for the queue {', '.join(queues)}" if queues else "to open older letters; no queue signs with it"
    say(f"Stored, under the desk's passphrase, {use}: {spaced(fingerprint)}.")
    say("Delete the file.")
    _tell_of_new_key(settings)
    return os.EX_OK


def _tell_of_new_key(settings: Settings) -> None:
    async def tell(units: Units) -> Sequence[int]:
        async with units() as unit:
            return await tell_of_new_key(Work(unit, real_world(), for_desk.desk_config(settings)))

    try:
        numbers = asyncio.run(_with_units(settings, tell))
    except StorageTrouble as trouble:
        complain(f"Note: it is not known which letters it opens. {trouble}")
        return
    if numbers:
        say(f"Letters of these tickets could not be opened before: {named(numbers)}. `!key recheck` in the")
        say("operators' room opens them again; it is told there, too.")


def _import_public(settings: Settings, content: bytes, address: str | None) -> int:
    key = read_public_key(content)
    if address is None:
        raise Refusal("This is a public key: say whose it is, with --address.")
    if not address.isascii():
        raise Refusal("No answer can leave to this address: write its domain as mail servers do (xn--…).")
    if key.revoked or key.expired or not key.can_encrypt:
        raise Refusal("Nothing can be encrypted to this key: it is revoked, expired, or for signing only.")
    if address.lower() not in key.addresses:
        complain("Note: the key does not name this address. Is it really this person's key?")

    async def pin(units: Units) -> None:
        offer = offered(key, "imported")
        while True:
            try:
                async with units() as unit:
                    work = Work(unit, real_world(), for_desk.desk_config(settings))
                    await pin_imported(work, address_tag(units.vault, address), offer)
                    return
            except KeyGrown as grown:
                offer = merged_offer(grown.known, grown.offered)

    asyncio.run(_with_units(settings, pin))
    say(f"Stored. Answers to this address are now encrypted to {spaced(key.fingerprint)} and no other key.")
    return os.EX_OK


def forget_keys(asked: argparse.Namespace) -> int:
    """Delete what is known of a contact's keys, or one of them."""
    settings = settings_of(asked)
    fingerprint = "".join(asked.fingerprint) or None

    async def forget(units: Units) -> int:
        async with units() as unit:
            tag = address_tag(units.vault, asked.address)
            work = Work(unit, real_world(), for_desk.desk_config(settings))
            return await forget_by_sysadmin(work, tag, fingerprint)

    count = asyncio.run(_with_units(settings, forget))
    say(f"Forgotten: {'1 key' if count == 1 else f'{count} keys'}. {WITHOUT_KEYS}")
    return os.EX_OK


async def _with_units(settings: Settings, work: Callable[[Units], Awaitable[T]]) -> T:
    units = for_desk.open_units(settings)
    try:
        await migrate(units.engine)
        await refuse_other_master_key(units)
        return await work(units)
    finally:
        await units.close()


def list_keys(asked: argparse.Namespace) -> int:
    """Show the queues' keys, and those of a contact whose address is given; all others stay sealed."""
    settings = settings_of(asked)
    keyring = settings.mail.open_keyring()
    try:
        own = {key.fingerprint: key for key in keyring.secret_keys()}
    finally:
        keyring.close()
    for queue in settings.queues:
        key = own.pop(queue.fingerprint, None)
        say(f"{queue.name}  {queue.address}  {spaced(queue.fingerprint)}  {_validity(key)}")
    for key in own.values():
        say(f"(no queue)  {spaced(key.fingerprint)}  {_validity(key)}")
    say(asyncio.run(_with_units(settings, lambda units: _contacts(units, asked.address))))
    return os.EX_OK


def _validity(key: SecretKey | None) -> str:
    if key is None:
        return "not in gnupg_home"
    if key.revoked:
        return "revoked"
    if key.works_until is None:
        return "without end"
    over = "over since" if key.works_until <= real_world().now() else "until"
    return f"{over} {key.works_until.date().isoformat()}"


async def _contacts(units: Units, address: str | None) -> str:
    async with units() as unit:
        if address is None:
            return f"Keys of contacts: {len(await unit.keys.every())}"
        tag = address_tag(units.vault, address)
        keys = await unit.keys.of(tag)
        if keys:
            return described(keys, real_world().now())
        if await unit.keys.known_once(tag):
            return "The public keys of this address were forgotten, and none has come since."
        return "No public key of this address is known."
