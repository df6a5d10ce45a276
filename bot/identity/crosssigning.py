# SPDX-License-Identifier: AGPL-3.0-or-later
"""The bot signs its own device: clients that exclude unsigned devices hear it then (MSC4153)."""

import json
import os
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from pathlib import Path

from nio import AsyncClient

from bot.errors import ApprovalNeeded, ForeignIdentity, MatrixError, TryLater
from bot.http.wire import Answer, Json, exchange, path, raise_for, request
from bot.identity import secretfile, signing
from bot.identity.device_keys import upload_keys

SEEDS = "crosssigning.json"
ROLES = ("master", "self_signing", "user_signing")

FOREIGN = (
    "The bot's account already has a cross-signing identity whose keys are not here. It is not replaced, "
    "since everybody would see that as an attack. Restore crosssigning.json from a backup, or reset the "
    "identity of the account with a client and start again."
)
AUTHENTICATION = (
    "The homeserver wants the bot's password once, to set up cross-signing: give it and start again."
)
APPROVAL = "The homeserver wants a person to approve the bot's cross-signing keys in its account pages."


class DeviceSigning(StrEnum):
    """How the device came to be signed."""

    ALREADY_SIGNED = "already-signed"
    DEVICE_SIGNED = "device-signed"
    IDENTITY_MADE = "identity-made"


@dataclass(frozen=True)
class Identity:
    """The bot's identity: its public master key, and what had to be done for it just now."""

    master_key: str
    standing: DeviceSigning


@dataclass(frozen=True)
class _Seeds:
    master: bytes
    self_signing: bytes
    user_signing: bytes


async def ensure_signed(client: AsyncClient, folder: Path, password: str | None = None) -> Identity:
    """See to it that the account's own identity signs the client's device; safe to repeat at each start.

    The seeds of the three keys lie in `folder`/crosssigning.json. Raises ForeignIdentity, ApprovalNeeded,
    SessionGone, TryLater or Rejected.
    """
    await upload_keys(client)
    shown = await request(client, "POST", path("keys", "query"), {"device_keys": {client.user_id: []}})
    theirs = signing.only_key(shown.get("master_keys", {}).get(client.user_id))
    seeds = _seeds(folder / SEEDS, make=theirs is None)
    ours = signing.public_key(seeds.master)
    if theirs not in (None, ours):
        raise ForeignIdentity(FOREIGN)
    if theirs is None:
        await _publish(client, seeds, password)
    device = _own_device(client, shown)
    if signing.is_signed(device, client.user_id, signing.public_key(seeds.self_signing)):
        return Identity(ours, DeviceSigning.ALREADY_SIGNED)
    await _sign_device(client, device, seeds)
    return Identity(ours, DeviceSigning.IDENTITY_MADE if theirs is None else DeviceSigning.DEVICE_SIGNED)


async def refuse_foreign(client: AsyncClient, folder: Path) -> bool:
    """Tell whether the account has our identity, or none yet; changes nothing. Raises as `ensure_signed`."""
    shown = await request(client, "POST", path("keys", "query"), {"device_keys": {client.user_id: []}})
    theirs = signing.only_key(shown.get("master_keys", {}).get(client.user_id))
    if theirs is None:
        return False
    if theirs != signing.public_key(_seeds(folder / SEEDS, make=False).master):
        raise ForeignIdentity(FOREIGN)
    return True


def _seeds(file: Path, *, make: bool) -> _Seeds:
    if not file.exists():
        if not make:
            raise ForeignIdentity(FOREIGN)
        fresh = {role: signing.encode(os.urandom(32)) for role in ROLES}
        secretfile.write_new(file, json.dumps(fresh))
    try:
        found = json.loads(file.read_text())
        return _Seeds(*(signing.decode(found[role]) for role in ROLES))
    except (ValueError, KeyError, TypeError) as error:
        raise MatrixError("crosssigning.json is damaged: restore it from a backup.") from error


async def _publish(client: AsyncClient, seeds: _Seeds, password: str | None) -> None:
    keys = _public_objects(client, seeds)
    where = path("keys", "device_signing", "upload")
    answer = await exchange(client, "POST", where, keys)
    if answer.status == HTTPStatus.UNAUTHORIZED and "flows" in answer.body:
        answer = await exchange(client, "POST", where, {**keys, "auth": _auth(client, answer, password)})
        if answer.status == HTTPStatus.UNAUTHORIZED and "flows" in answer.body:
            raise ApprovalNeeded(AUTHENTICATION)
    raise_for(answer)


def _auth(client: AsyncClient, asked: Answer, password: str | None) -> Json:
    """Answer to user-interactive authentication (client-server API, "Password-based")."""
    if not any(flow.get("stages") == ["m.login.password"] for flow in asked.body["flows"]):
        raise ApprovalNeeded(APPROVAL)
    if password is None:
        raise ApprovalNeeded(AUTHENTICATION)
    return {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": client.user_id},
        "password": password,
        "session": asked.body.get("session"),
    }


def _public_objects(client: AsyncClient, seeds: _Seeds) -> Json:
    user_id = client.user_id
    master = _public_object(user_id, "master", seeds.master)
    # The device signs the master key too: whoever verifies the device by emoji then trusts the identity.
    by_device = client.olm.sign_json(master)
    return {
        "master_key": signing.with_signature(master, user_id, client.device_id, by_device),
        "self_signing_key": signing.signed(
            _public_object(user_id, "self_signing", seeds.self_signing), user_id, seeds.master
        ),
        "user_signing_key": signing.signed(
            _public_object(user_id, "user_signing", seeds.user_signing), user_id, seeds.master
        ),
    }


def _public_object(user_id: str, usage: str, seed: bytes) -> Json:
    key = signing.public_key(seed)
    return {"user_id": user_id, "usage": [usage], "keys": {f"ed25519:{key}": key}}


def _own_device(client: AsyncClient, shown: Json) -> Json:
    device = shown.get("device_keys", {}).get(client.user_id, {}).get(client.device_id)
    if not isinstance(device, dict):
        raise TryLater("The homeserver does not show the bot's own device yet.")
    shown_key = device.get("keys", {}).get(f"ed25519:{client.device_id}")
    if shown_key != client.olm.account.identity_keys["ed25519"]:
        raise MatrixError(
            "The homeserver shows another key for the bot's own device than the key store holds: was the "
            "store replaced? Restore it, or remove the whole session folder and start again."
        )
    return device


async def _sign_device(client: AsyncClient, device: Json, seeds: _Seeds) -> None:
    bare = {name: part for name, part in device.items() if name != "unsigned"}
    vouched = signing.signed(bare, client.user_id, seeds.self_signing)
    answer = await request(
        client, "POST", path("keys", "signatures", "upload"), {client.user_id: {client.device_id: vouched}}
    )
    if answer.get("failures"):
        raise TryLater("The homeserver did not take the signature on the bot's device.")
