# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the bot says arrives encrypted, once, and looks as meant to another client."""

from nio import MegolmEvent

from bot import contents
from bot.rendering import plain
from tests.bot.conftest import Enter, Gather
from tests.bot.people import Bot


async def test_an_answer_in_a_thread_is_read_by_another_client(
    bot: Bot, enter: Enter, gather: Gather
) -> None:
    ana = await enter("ana")
    room_id = await gather(bot, ana)
    asked = await ana.say(room_id, "!ping")
    await bot.syncer.step()
    assert bot.journal.bodies == ["!ping"]
    heard = bot.journal.heard[asked]
    assert (heard.decrypted, heard.verified) == (True, True)

    content = contents.in_thread(contents.notice(plain("pong")), asked)
    answered = await bot.sender.send_event(room_id, content, "txn-1")

    seen = await ana.see(answered)
    assert not isinstance(seen, MegolmEvent)
    assert seen.body == "pong"
    assert seen.source["content"]["msgtype"] == "m.notice"
    assert seen.source["content"]["m.mentions"] == {}
    assert seen.source["content"]["m.relates_to"]["rel_type"] == "m.thread"
