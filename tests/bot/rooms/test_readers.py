# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who is in a room, but is not named for it, gets none of its keys."""

from bot.sending.contents import notice
from bot.sending.rendering import plain
from tests.bot.conftest import Enter, Gather
from tests.bot.people import Bot, Memory


async def test_a_member_who_is_not_named_reads_nothing(
    memory: Memory, bot: Bot, enter: Enter, gather: Gather
) -> None:
    ana, mal = await enter("ana"), await enter("mal")
    memory.strangers.add(mal.client.user_id)
    room = await gather(bot, ana, mal)
    event = await bot.sender.send_event(room, notice(plain("For the named.")), "t1")
    assert (await ana.see(event)).body == "For the named."
    await mal.see(event)
    assert not mal.could_read(event)


async def test_who_is_named_no_more_cannot_use_the_key_they_have(
    memory: Memory, bot: Bot, enter: Enter, gather: Gather
) -> None:
    ana, bob = await enter("ana"), await enter("bob")
    room = await gather(bot, ana, bob)
    first = await bot.sender.send_event(room, notice(plain("For both.")), "t1")
    assert (await bob.see(first)).body == "For both."
    memory.strangers.add(bob.client.user_id)
    second = await bot.sender.send_event(room, notice(plain("For Ana.")), "t2")
    assert (await ana.see(second)).body == "For Ana."
    await bob.see(second)
    assert not bob.could_read(second)
