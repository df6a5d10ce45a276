# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a homeserver that lies shows of people's keys: an identity that is gone, keys that nobody signed."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.http.wire import Json
from bot.identity import signing
from bot.identity.session import BotAccount
from bot.identity.trust import IdentityTrust, Judgement, TrustPolicy
from storage.sealing import ed25519
from tests.bot.people import Bot, Memory, running
from tests.faults.fakehs import FakeHomeserver

ANA, DEVICE = "@ana:fake.test", "PHONE"
MASTER, SIGNER, OWN = (name.encode().ljust(32, b".") for name in ("master", "signer", "device"))
REAL, FORGED = (signing.encode(name.encode().ljust(32, b".")) for name in ("real", "forged"))


@pytest.fixture
async def server() -> AsyncIterator[FakeHomeserver]:
    async with FakeHomeserver() as running_server:
        yield running_server


def lenient(server: FakeHomeserver, tmp_path: Path) -> Memory:
    return Memory(BotAccount(server.url, "bot", tmp_path / "session"), policy=TrustPolicy.ALL)


def identity() -> Json:
    def part(usage: str, seed: bytes) -> Json:
        key = signing.public_key(seed)
        return {"user_id": ANA, "usage": [usage], "keys": {f"ed25519:{key}": key}}

    return {
        "master_key": part("master", MASTER),
        "self_signing_key": signing.signed(part("self_signing", SIGNER), ANA, MASTER),
    }


def device(curve: str) -> Json:
    """Ana's device, signed by nobody yet."""
    keys = {f"ed25519:{DEVICE}": signing.public_key(OWN), f"curve25519:{DEVICE}": curve}
    return {"user_id": ANA, "device_id": DEVICE, "algorithms": ["m.megolm.v1.aes-sha2"], "keys": keys}


def by_itself(keys: Json) -> Json:
    signature = signing.encode(ed25519.sign(OWN, signing.canonical(keys)))
    return signing.with_signature(keys, ANA, DEVICE, signature)


async def judged(bot: Bot) -> Judgement:
    (judgement,) = await bot.trust.refresh([ANA])
    return judgement


async def test_an_identity_that_is_gone_has_changed_and_its_devices_get_nothing(
    server: FakeHomeserver, tmp_path: Path
) -> None:
    async with running(lenient(server, tmp_path)) as bot:
        server.keys.identities[ANA] = identity()
        server.keys.devices[ANA, DEVICE] = signing.signed(by_itself(device(REAL)), ANA, SIGNER)
        before = await judged(bot)
        del server.keys.identities[ANA]
        after = await judged(bot)
        assert (before.standing, after.standing) == (IdentityTrust.PINNED, IdentityTrust.CHANGED)
        assert [one.receives for one in (*before.devices, *after.devices)] == [True, False]
        assert [report.master_key for report in bot.reports] == [None]
        known = bot.client.device_store[ANA][DEVICE]
        assert bot.client.olm.is_device_blacklisted(known)


async def test_the_signature_covers_the_very_key_that_is_encrypted_to(
    server: FakeHomeserver, tmp_path: Path
) -> None:
    async with running(lenient(server, tmp_path)) as bot:
        server.keys.identities[ANA] = identity()
        server.keys.devices[ANA, DEVICE] = by_itself(device(FORGED))
        assert [one.signed for one in (await judged(bot)).devices] == [False]
        # What Ana signed; without the device's own signature nio does not take the key in.
        server.keys.devices[ANA, DEVICE] = signing.signed(device(REAL), ANA, SIGNER)
        assert [one.signed for one in (await judged(bot)).devices] == [False]
        assert bot.client.device_store[ANA][DEVICE].curve25519 == FORGED
        server.keys.devices[ANA, DEVICE] = signing.signed(by_itself(device(REAL)), ANA, SIGNER)
        assert [one.signed for one in (await judged(bot)).devices] == [True]
