# SPDX-License-Identifier: AGPL-3.0-or-later
"""Room keys go to devices signed by the identity their owner had at first sight, and to no others."""

import json

import pytest

from bot.identity.crosssigning import SEEDS
from bot.identity.trust import IdentityTrust, Judgement, TrustPolicy
from bot.sending import contents
from bot.sending.rendering import plain
from storage.engine.troubles import StorageTrouble
from tests.bot.conftest import Enter, Gather
from tests.bot.people import Bot, Memory, reset_identity, running


async def say(bot: Bot, room_id: str, ref: str) -> str:
    return await bot.sender.send_event(room_id, contents.notice(plain("secret")), ref)


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
    assert bot.trust.judgement(ana_id).standing is IdentityTrust.PINNED
    assert bot.trust.judgement(ben_id).standing is IdentityTrust.NONE
    assert set(bot.pins) >= {ana_id}
    assert ben_id not in bot.pins


async def test_a_lenient_desk_lets_unsigned_devices_read(
    memory: Memory, enter: Enter, gather: Gather
) -> None:
    memory.policy = TrustPolicy.ALL
    async with running(memory) as bot:
        await bot.syncer.step()
        ben = await enter("ben", signed=False)
        room_id = await gather(bot, ben)
        told = await say(bot, room_id, "r1")
        await ben.see(told)
        assert ben.could_read(told)


@pytest.mark.parametrize("policy", list(TrustPolicy))
async def test_a_changed_identity_is_blocked_and_told_until_pinned_again(
    memory: Memory, enter: Enter, gather: Gather, policy: TrustPolicy
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

        await reset_identity(ana.client, ana.folder)
        await bot.syncer.step()
        changed = await say(bot, room_id, "r2")
        await ana.see(changed)
        await bot.trust.refresh([ana_id])
        asked = await ana.say(room_id, "!claim 1")
        await bot.syncer.step()
        heard = bot.journal.heard[asked]

        assert (ana.could_read(before), ana.could_read(changed)) == (True, False)
        assert [report.standing for report in bot.reports] == [IdentityTrust.CHANGED]
        assert bot.pins[ana_id] == pinned
        assert (heard.decrypted, heard.verified) == (True, False)

        unsure = await bot.trust.accept(ana_id, "a key that ana does not show")
        assert (unsure.standing, bot.pins[ana_id]) == (IdentityTrust.CHANGED, pinned)
        shown = bot.reports[0].master_key
        assert shown is not None
        accepted = await bot.trust.accept(ana_id, shown)
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
    await reset_identity(ana.client, ana.folder)
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
    await reset_identity(ana.client, ana.folder)
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


async def test_a_forgotten_member_is_seen_for_the_first_time_again(
    bot: Bot, enter: Enter, gather: Gather
) -> None:
    ana = await enter("ana")
    ana_id = ana.client.user_id
    room_id = await gather(bot, ana)
    await say(bot, room_id, "r1")
    pinned = bot.pins[ana_id]
    await reset_identity(ana.client, ana.folder)
    await bot.trust.refresh([ana_id])
    await bot.trust.forget(ana_id)
    after = await say(bot, room_id, "r2")
    await ana.see(after)
    assert ana.could_read(after)
    assert bot.pins[ana_id] != pinned


async def test_a_changed_identity_that_could_not_be_told_is_looked_up_and_told_again(
    bot: Bot, enter: Enter, gather: Gather
) -> None:
    report, troubles = bot.trust._report, [StorageTrouble("The disk is full.")]

    async def fail_first(judgement: Judgement) -> None:
        if troubles:
            raise troubles.pop()
        await report(judgement)

    ana = await enter("ana")
    room_id = await gather(bot, ana)
    await say(bot, room_id, "r1")
    await reset_identity(ana.client, ana.folder)
    bot.trust._report = fail_first
    await bot.syncer.step()
    assert (troubles, [told.standing for told in bot.reports]) == ([], [IdentityTrust.CHANGED])
