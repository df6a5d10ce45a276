# SPDX-License-Identifier: AGPL-3.0-or-later
"""What encryption needs between syncs: one-time keys, a fallback key, words to single devices."""

import hashlib
import json

import structlog
from nio import AsyncClient, KeysClaimResponse, KeysUploadResponse, ToDeviceResponse

from bot.errors import Rejected, TryLater
from bot.http.wire import Json, path, request

log = structlog.get_logger()

ONE_TIME_KEYS = "signed_curve25519"
UPLOADS = 3
WITHHELD = "m.room_key.withheld"


async def upload_keys(client: AsyncClient) -> None:
    """Upload device keys at first start and one-time keys whenever the homeserver has too few.

    A refusal is logged, not raised: the next sync tries again with fresh keys. Raises SessionGone, TryLater.
    """
    if not client.should_upload_keys:
        return
    for _ in range(UPLOADS):
        try:
            answer = await request(client, "POST", path("keys", "upload"), _fresh_keys(client))
        except Rejected as error:
            log.warning("keys-refused", reason=str(error), code=error.code)
        else:
            await client.receive_response(KeysUploadResponse.from_dict(answer))
            return


def _fresh_keys(client: AsyncClient) -> Json:
    """Keys that were never offered, on disk before they leave the house."""
    # An id the homeserver knows with another value is refused for ever: after a crash, or with a store from
    # a backup, ids must go on and not start over. So they count as published at once, whatever the answer.
    content: Json = client.olm.share_keys()
    client.olm.mark_keys_as_published()
    client.olm.save_account()
    return content


def note_key_count(client: AsyncClient, sync: Json) -> None:
    """Tell nio how many one-time keys are left; by itself it overlooks that there are none."""
    counts = sync.get("device_one_time_keys_count")
    if isinstance(counts, dict):
        client.olm.uploaded_key_count = counts.get(ONE_TIME_KEYS, 0)


def lacks_fallback_key(sync: Json) -> bool:
    """Whether the homeserver says that the fallback key is missing or used (MSC2732)."""
    unused = sync.get("device_unused_fallback_key_types")
    return isinstance(unused, list) and ONE_TIME_KEYS not in unused


async def upload_fallback_key(client: AsyncClient) -> None:
    """Make a fallback key and upload it: with it new sessions reach us when all one-time keys are gone."""
    # nio offers no way to it, so that the library below is asked; the store keeps it with the account.
    account = client.olm.account._account  # noqa: SLF001
    account.generate_fallback_key()
    ((key_id, key),) = account.fallback_key.items()
    part = {"key": key.to_base64(), "fallback": True}
    signature = client.olm.sign_json(part)
    part["signatures"] = {client.user_id: {f"ed25519:{client.device_id}": signature}}
    client.olm.save_account()
    await request(
        client, "POST", path("keys", "upload"), {"fallback_keys": {f"{ONE_TIME_KEYS}:{key_id}": part}}
    )
    account.mark_keys_as_published()
    client.olm.save_account()


async def claim_keys(client: AsyncClient, wanted: dict[str, list[str]]) -> None:
    """Claim one-time keys of devices (user -> device ids), so that sessions with them can start."""
    asked = {user: dict.fromkeys(devices, ONE_TIME_KEYS) for user, devices in wanted.items() if devices}
    if not asked:
        return
    answer = await request(client, "POST", path("keys", "claim"), {"one_time_keys": asked})
    await client.receive_response(KeysClaimResponse.from_dict(answer))


async def withhold_key(
    client: AsyncClient, room_id: str, session_id: str, left_out: dict[str, list[str]]
) -> None:
    """Tell devices (user -> device ids) that they get no key of this session, and why: clients show it.

    It is mere courtesy: what the homeserver does not take now is not tried again.
    """
    content = {
        "algorithm": "m.megolm.v1.aes-sha2",
        "code": "m.unverified",
        "reason": "This device is not verified: verify it with your account to read what is said later.",
        "room_id": room_id,
        "sender_key": client.olm.account.identity_keys["curve25519"],
        "session_id": session_id,
    }
    messages = {user: dict.fromkeys(devices, content) for user, devices in left_out.items() if devices}
    if not messages:
        return
    try:
        await send_to_devices(client, WITHHELD, {"messages": messages})
    except (TryLater, Rejected) as error:
        log.warning("withheld-untold", reason=str(error))


async def send_waiting(client: AsyncClient) -> None:
    """Send what nio wants to tell single devices, and mend broken sessions."""
    for message in tuple(client.outgoing_to_device_messages):
        await send_to_devices(client, message.type, message.as_dict())
        await client.receive_response(ToDeviceResponse(message))
    if client.should_claim_keys:
        await claim_keys(client, client.get_users_for_key_claiming())


async def send_to_devices(client: AsyncClient, kind: str, messages: Json) -> None:
    """Send one batch of to-device messages; its transaction id follows from its content."""
    digest = hashlib.sha256(json.dumps(messages, sort_keys=True).encode()).hexdigest()[:32]
    await request(client, "PUT", path("sendToDevice", kind, digest), messages)
