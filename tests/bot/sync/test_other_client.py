# SPDX-License-Identifier: AGPL-3.0-or-later
"""An agent whose client is matrix-js-sdk, and shares keys with signed devices only, is heard and answered."""

from bot.rooms.rooms import RoomPlan
from bot.sending import contents
from bot.sending.rendering import plain
from commands.event import EventKind
from tests.bot.people import PASSWORD, Bot
from tests.services.jsclient import JsClient
from tests.services.synapse import Homeserver


async def step_until(bot: Bot, count: int) -> None:
    """Sync until this many events have been heard."""
    for _ in range(20):
        if len(bot.journal.heard) >= count:
            return
        await bot.syncer.step()
    raise AssertionError("it was never heard")


async def test_a_client_that_is_not_verified_is_told_why_it_cannot_read(
    synapse: Homeserver, bot: Bot
) -> None:
    ben_id = synapse.register("ben-unverified", PASSWORD)
    ben = JsClient(synapse.url, "ben-unverified", PASSWORD)
    try:
        await ben.start(sign_own_device=False)
        room_id = await bot.rooms.create_room(RoomPlan("js-unverified", "room", invite=(ben_id,)))
        await ben.join(await ben.invitation())
        await bot.meet(room_id)
        await bot.syncer.step()
        told = await bot.sender.send_event(room_id, contents.notice(plain("secret")), "r1")
        heard = await ben.hear(lambda heard: heard.event_id == told)
        assert heard.failure == "MEGOLM_KEY_WITHHELD_FOR_UNVERIFIED_DEVICE"
        assert "secret" not in str(heard.content)
    finally:
        await ben.stop()


async def test_both_sides_read_each_other_in_thread_edit_and_reaction(synapse: Homeserver, bot: Bot) -> None:
    ana_id = synapse.register("ana-with-js", PASSWORD)
    async with JsClient(synapse.url, "ana-with-js", PASSWORD) as ana:
        room_id = await bot.rooms.create_room(RoomPlan("js", "room", invite=(ana_id,)))
        await ana.join(await ana.invitation())
        await bot.meet(room_id)
        await bot.syncer.step()
        root = await bot.sender.send_event(room_id, contents.notice(plain("ticket 1: new")), "r1")
        announced = await ana.hear_text(room_id, "ticket 1")
        assert (announced.event_id, announced.shield) == (root, None)

        said = await ana.say(room_id, "!claim", thread=root)
        reacted = await ana.react(room_id, root, "👀")
        await step_until(bot, 2)
        claim, eyes = bot.journal.heard[said], bot.journal.heard[reacted]
        assert (claim.body, claim.thread_root, claim.verified) == ("!claim", root, True)
        assert (eyes.kind, eyes.key, eyes.relates_to) == (EventKind.REACTION, "👀", root)

        yours = contents.in_thread(contents.notice(plain("it is yours")), root, reply_to=said)
        await bot.sender.send_event(room_id, yours, "r2")
        assert (await ana.hear_text(room_id, "it is yours", thread=root)).sender == bot.session.user_id
        edit = contents.edit(contents.notice(plain("ticket 1: claimed")), root)
        edited = await bot.sender.send_event(room_id, edit, "r3")
        found = await ana.hear(lambda heard: heard.event_id == edited)
        assert (found.replaces, found.failure, found.encrypted) == (root, None, True)
