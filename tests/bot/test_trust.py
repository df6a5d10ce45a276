# SPDX-License-Identifier: AGPL-3.0-or-later
"""Room keys go to devices signed by the identity their owner had at first sight, and to no others."""

import json

import pytest

from bot import contents, signing
from bot.crosssigning import SEEDS
from bot.rendering import plain
from bot.trust import Policy, Standing
from bot.wire import exchange, path, request
from tests.bot.conftest import Enter, Gather
from tests.bot.people import PASSWORD, Bot, Memory, Peer, running


async def say(bot: Bot, room_id: str, ref: str) -> str:
    return await bot.sender.send_event(room_id, contents.notice(plain("secret")), ref)


async def reset_identity(peer: Peer) -> None:
    """Give the person a new identity and sign the device by it, as after a lost recovery key."""
    client = peer.client
    (peer.folder / SEEDS).unlink()
    master, signer = (f"new {role}".encode().ljust(32, b".") for role in ("master", "signer"))

    def part(usage: str, seed: bytes) -> signing.Json:
        key = signing.public_key(seed)
        return {"user_id": client.user_id, "usage": [usage], "keys": {f"ed25519:{key}": key}}

    keys: signing.Json = {
        "master_key": part("master", master),
        "self_signing_key": signing.signed(part("self_signing", signer), client.user_id, master),
    }
    where = path("keys", "device_signing", "upload")
    asked = await exchange(client, "POST", where, keys)
    assert asked.status == 401
    keys["auth"] = {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": client.user_id},
        "password": PASSWORD,
        "session": asked.body["session"],
    }
    await request(client, "POST", where, keys)
    shown = await request(client, "POST", path("keys", "query"), {"device_keys": {client.user_id: []}})
    device = shown["device_keys"][client.user_id][client.device_id]
    device.pop("unsigned", None)
    signed = signing.signed(device, client.user_id, signer)
    body = {client.user_id: {client.device_id: signed}}
    assert not (await request(client, "POST", path("keys", "signatures", "upload"), body)).get("failures")


async def test_an_unsigned_device_gets_nothing(bot: Bot, enter: Enter, gather: Gather) -> None:
    ana = await enter("ana")
    sly = await enter("ana", signed=False, user_id=ana.client.user_id)
    ben = await enter("ben", signed=False)
    room_id = await gather(bot, ana, ben)
    await sly.look()
    told = await say(bot, room_id, "r1")
    for peer in (ana, sly, ben):
        await peer.see(told)
    assert [peer.could_read(told) for peer in (ana, sly, ben)] == [True, False, False]
    ana_id, ben_id = ana.client.user_id, ben.client.user_id
    assert bot.trust.judgement(ana_id).standing is Standing.PINNED  # type: ignore[union-attr]
    assert bot.trust.judgement(ben_id).standing is Standing.NONE  # type: ignore[union-attr]
    assert set(bot.pins) >= {ana_id}
    assert ben_id not in bot.pins


async def test_a_lenient_desk_lets_unsigned_devices_read(
    memory: Memory, enter: Enter, gather: Gather
) -> None:
    memory.policy = Policy.ALL
    async with running(memory) as bot:
        await bot.syncer.step()
        ben = await enter("ben", signed=False)
        room_id = await gather(bot, ben)
        told = await say(bot, room_id, "r1")
        await ben.see(told)
        assert ben.could_read(told)


@pytest.mark.parametrize("policy", list(Policy))
async def test_a_changed_identity_is_blocked_and_told_until_pinned_again(
    memory: Memory, enter: Enter, gather: Gather, policy: Policy
) -> None:
    memory.policy = policy
    async with running(memory) as bot:
        await bot.syncer.step()
        ana = await enter("ana")
        ana_id = ana.client.user_id
        room_id = await gather(bot, ana)
        before = await say(bot, room_id, "r1")
        await ana.see(before)
        pinned = bot.pins[ana_id]

        await reset_identity(ana)
        await bot.syncer.step()
        changed = await say(bot, room_id, "r2")
        await ana.see(changed)
        await bot.trust.refresh([ana_id])
        asked = await ana.say(room_id, "!claim 1")
        await bot.syncer.step()
        heard = bot.journal.heard[asked]

        assert (ana.could_read(before), ana.could_read(changed)) == (True, False)
        assert [report.standing for report in bot.reports] == [Standing.CHANGED]
        assert bot.pins[ana_id] == pinned
        assert (heard.decrypted, heard.verified) == (True, False)

        accepted = await bot.trust.pin_again(ana_id)
        again = await say(bot, room_id, "r3")
        await ana.see(again)
        assert ana.could_read(again)
        assert bot.pins[ana_id] == accepted.master_key != pinned


async def test_looking_again_and_again_changes_nothing(bot: Bot, enter: Enter, gather: Gather) -> None:
    ana = await enter("ana")
    ana_id, device_id = ana.client.user_id, ana.client.device_id
    room_id = await gather(bot, ana)
    await say(bot, room_id, "r1")
    session = bot.client.olm.outbound_group_sessions[room_id].id
    for _ in range(3):
        await bot.trust.refresh([ana_id])
    assert bot.client.olm.outbound_group_sessions[room_id].id == session
    await reset_identity(ana)
    await bot.trust.refresh([ana_id])
    device = bot.client.device_store[ana_id][device_id]
    assert not bot.client.olm.is_device_verified(device)
    assert bot.client.olm.is_device_blacklisted(device)


async def test_pins_outlive_the_process(memory: Memory, enter: Enter, gather: Gather) -> None:
    ana = await enter("ana")
    async with running(memory) as bot:
        await bot.syncer.step()
        room_id = await gather(bot, ana)
        await say(bot, room_id, "r1")
    await reset_identity(ana)
    async with running(memory) as bot:
        await bot.syncer.step()
        told = await say(bot, room_id, "r2")
        await ana.see(told)
        assert not ana.could_read(told)
        assert [report.user_id for report in bot.reports] == [ana.client.user_id]


async def test_a_device_signed_after_it_was_refused_reads_what_comes_then(
    bot: Bot, enter: Enter, gather: Gather
) -> None:
    ana = await enter("ana")
    late = await enter("ana", signed=False, user_id=ana.client.user_id)
    room_id = await gather(bot, ana)
    await late.look()
    before = await say(bot, room_id, "r1")
    (late.folder / SEEDS).write_text((ana.folder / SEEDS).read_text())
    assert json.loads((late.folder / SEEDS).read_text())
    await late.begin_signed()
    await bot.syncer.step()
    after = await say(bot, room_id, "r2")
    await late.see(after)
    assert [late.could_read(before), late.could_read(after)] == [False, True]
