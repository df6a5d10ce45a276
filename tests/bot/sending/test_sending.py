# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the bot says arrives encrypted, once, and looks as meant to another client."""

import pytest
from nio import MegolmEvent
from nio.crypto.attachments import decrypt_attachment

from bot.errors import Rejected, TryLater
from bot.http.wire import path, request
from bot.identity.crosssigning import SEEDS
from bot.rooms.rooms import RoomPlan
from bot.sending import contents
from bot.sending.rendering import plain
from tests.bot.conftest import Enter, Gather
from tests.bot.people import Bot, Memory, running


@pytest.mark.parametrize("version", ["11", "12"])
async def test_an_answer_in_a_thread_is_read_by_another_client(
    bot: Bot, enter: Enter, gather: Gather, version: str
) -> None:
    ana = await enter("ana")
    room_id = await gather(bot, ana, version=version)
    asked = await ana.say(room_id, "!ping")
    await bot.syncer.step()
    heard = bot.journal.heard[asked]
    assert (heard.body, heard.decrypted, heard.verified) == ("!ping", True, True)

    content = contents.in_thread(contents.notice(plain("pong")), asked)
    answered = await bot.sender.send_event(room_id, content, "r1")

    seen = await ana.see(answered)
    assert not isinstance(seen, MegolmEvent)
    found = seen.source["content"]
    assert (found["body"], found["msgtype"], found["m.mentions"]) == ("pong", "m.notice", {})
    assert found["m.relates_to"] == {
        "rel_type": "m.thread",
        "event_id": asked,
        "is_falling_back": True,
        "m.in_reply_to": {"event_id": asked},
    }


async def test_the_homeserver_sees_no_word_of_it(bot: Bot, enter: Enter, gather: Gather) -> None:
    room_id = await gather(bot, await enter("ana"))
    sent = await bot.sender.send_event(room_id, contents.notice(plain("canary-words")), "r1")
    raw = await request(bot.client, "GET", path("rooms", room_id, "event", sent))
    assert raw["type"] == "m.room.encrypted"
    assert "canary-words" not in str(raw)
    assert contents.MARKER not in str(raw)


async def test_an_edit_replaces_the_first_words(bot: Bot, enter: Enter, gather: Gather) -> None:
    ana = await enter("ana")
    room_id = await gather(bot, ana)
    first = await bot.sender.send_event(room_id, contents.notice(plain("new")), "r1")
    edit = await bot.sender.send_event(room_id, contents.edit(contents.notice(plain("closed")), first), "r2")
    found = (await ana.see(edit)).source["content"]
    assert found["m.relates_to"] == {"rel_type": "m.replace", "event_id": first}
    assert found["m.new_content"]["body"] == "closed"
    assert found["m.mentions"] == found["m.new_content"]["m.mentions"] == {}


async def test_a_reaction_and_a_redaction_happen_once(bot: Bot, enter: Enter, gather: Gather) -> None:
    ana = await enter("ana")
    room_id = await gather(bot, ana)
    first = await bot.sender.send_event(room_id, contents.notice(plain("new")), "r1")
    reacted = await bot.sender.react(room_id, first, "👀", "r2")
    assert await bot.sender.react(room_id, first, "👀", "r2") == reacted
    assert await bot.sender.react(room_id, first, "👀", "r3") is None, "it is there already: no error"
    seen = await ana.see(reacted)
    assert (seen.key, seen.reacts_to) == ("👀", first)

    redacted = await bot.sender.redact(room_id, first, "r4")
    assert await bot.sender.redact(room_id, first, "r4") == redacted
    raw = await request(bot.client, "GET", path("rooms", room_id, "event", first))
    assert "ciphertext" not in raw["content"]


async def test_a_file_is_read_in_the_thread_and_the_homeserver_stores_ciphertext(
    bot: Bot, enter: Enter, gather: Gather
) -> None:
    ana = await enter("ana")
    room_id = await gather(bot, ana)
    root = await bot.sender.send_event(room_id, contents.notice(plain("ticket")), "r1")
    text = "long words, über and über\n".encode() * 4000
    stored = await bot.sender.upload("letter.txt", "text/plain", text)
    sent = await bot.sender.send_event(room_id, contents.in_thread(contents.file(stored), root), "r2")

    found = (await ana.see(sent)).source["content"]
    assert (found["filename"], found["info"]["size"]) == ("letter.txt", len(text))
    assert found["m.relates_to"]["event_id"] == root
    response = await ana.client.download(found["file"]["url"])
    assert b"long words" not in response.body
    key = found["file"]
    assert decrypt_attachment(response.body, key["key"]["k"], key["hashes"]["sha256"], key["iv"]) == text


async def test_the_same_ref_is_the_same_event_also_after_a_restart(
    memory: Memory, enter: Enter, gather: Gather
) -> None:
    ana = await enter("ana")
    content = contents.notice(plain("once"))
    async with running(memory) as bot:
        await bot.syncer.step()
        room_id = await gather(bot, ana)
        first = await bot.sender.send_event(room_id, content, "r1")
        again = await bot.sender.send_event(room_id, content, "r1")
    async with running(memory) as bot:
        await bot.syncer.step()
        restarted = await bot.sender.send_event(room_id, content, "r1")
        other = await bot.sender.send_event(room_id, content, "r2")
    assert first == again == restarted != other


async def test_our_own_event_is_found_by_its_marker_also_after_a_restart(
    memory: Memory, enter: Enter, gather: Gather
) -> None:
    ana = await enter("ana")
    async with running(memory) as bot:
        await bot.syncer.step()
        room_id = await gather(bot, ana)
        sent = [
            await bot.sender.send_event(room_id, contents.notice(plain(f"line {number}")), f"r{number}")
            for number in range(3)
        ]
    await ana.say(room_id, "r1", **{contents.MARKER: "forged"})
    async with running(memory) as bot:
        await bot.syncer.step()
        found = [await bot.sender.find_by_marker(room_id, f"r{number}") for number in range(3)]
        assert found == sent
        assert await bot.sender.find_by_marker(room_id, "forged") is None
        assert await bot.sender.find_by_marker(room_id, "never") is None


async def test_looking_first_sends_nothing_twice_when_transaction_ids_are_forgotten(
    bot: Bot, enter: Enter, gather: Gather
) -> None:
    room_id = await gather(bot, await enter("ana"))
    content = contents.notice(plain("once"))
    first = await bot.sender.send_event(room_id, {**content, contents.MARKER: "x"}, "r1")
    # Another device has transaction ids of its own: to the homeserver "r1" is unheard of there.
    where = path("rooms", room_id, "send", "m.room.encrypted", "another")
    kind, cipher = bot.client.encrypt(room_id, "m.room.message", {**content, contents.MARKER: "old"})
    earlier = (await request(bot.client, "PUT", where, cipher))["event_id"]
    assert kind == "m.room.encrypted"
    assert await bot.sender.send_event(room_id, content, "old", look_first=True) == earlier
    assert await bot.sender.send_event(room_id, content, "old") != earlier, "without looking it doubles"
    assert await bot.sender.send_event(room_id, content, "new", look_first=True) not in (first, earlier)


async def test_nothing_is_said_in_a_room_without_encryption(bot: Bot, enter: Enter) -> None:
    ana = await enter("ana")
    room_id = (await ana.client.room_create(invite=[bot.session.user_id])).room_id
    await bot.rooms.join(room_id)
    with pytest.raises(Rejected, match="not encrypted"):
        await bot.sender.send_event(room_id, contents.notice(plain("secret")), "r1")
    await bot.meet(room_id)
    with pytest.raises(Rejected, match="not encrypted"):
        await bot.sender.send_event(room_id, contents.notice(plain("secret")), "r1")


async def test_a_room_the_bot_has_just_made_is_tried_again_after_the_sync(
    bot: Bot, enter: Enter, gather: Gather
) -> None:
    room_id = await bot.rooms.create_room(RoomPlan("fresh", "room"))
    with pytest.raises(TryLater) as caught:
        await bot.sender.send_event(room_id, contents.notice(plain("hello")), "r1")
    assert caught.value.after == 1
    await bot.meet(room_id)
    assert await bot.sender.send_event(room_id, contents.notice(plain("hello")), "r1")


async def test_a_room_the_bot_is_not_in_refuses_it(bot: Bot, enter: Enter) -> None:
    ana = await enter("ana")
    room_id = (await ana.client.room_create()).room_id
    with pytest.raises(Rejected, match="not in the room"):
        await bot.sender.send_event(room_id, contents.notice(plain("hello")), "r1")


async def test_a_message_too_long_for_an_event_is_refused_before_it_is_sent(
    bot: Bot, enter: Enter, gather: Gather
) -> None:
    room_id = await gather(bot, await enter("ana"))
    for number, longest in enumerate(("ü" * 7_800, "a" * 46_800)):
        content = contents.notice(plain(longest))
        assert not contents.fits(contents.notice(plain(longest + longest[:400])))
        assert await bot.sender.send_event(room_id, content, f"r{number}")
        with pytest.raises(Rejected, match="too long"):
            await bot.sender.send_event(room_id, contents.notice(plain(longest + longest[:400])), "r9")


async def test_a_newcomer_reads_what_is_said_from_now_on(bot: Bot, enter: Enter, gather: Gather) -> None:
    ana = await enter("ana")
    ben = await enter("ben")
    room_id = await gather(bot, ana)
    await bot.sender.send_event(room_id, contents.notice(plain("before")), "r1")
    await bot.rooms.invite(room_id, ben.client.user_id)
    await ben.join(room_id)
    await bot.syncer.step()
    sent = await bot.sender.send_event(room_id, contents.notice(plain("after")), "r2")
    await ben.see(sent)
    assert ben.could_read(sent)


async def test_a_device_of_which_no_sync_was_finished_yet_is_looked_up_before_sending(
    bot: Bot, enter: Enter, gather: Gather
) -> None:
    ana = await enter("ana")
    room_id = await gather(bot, ana)
    await bot.sender.send_event(room_id, contents.notice(plain("before")), "r1")
    phone = await enter("ana", signed=False, user_id=ana.client.user_id)
    (phone.folder / SEEDS).write_text((ana.folder / SEEDS).read_text())
    await phone.begin_signed()
    bot.client.olm.add_changed_users({ana.client.user_id})
    sent = await bot.sender.send_event(room_id, contents.notice(plain("after")), "r2")
    await phone.see(sent)
    assert phone.could_read(sent)


async def test_who_has_left_reads_nothing_more(bot: Bot, enter: Enter, gather: Gather) -> None:
    ana = await enter("ana")
    ben = await enter("ben")
    room_id = await gather(bot, ana, ben)
    await bot.sender.send_event(room_id, contents.notice(plain("before")), "r1")
    before = bot.client.olm.outbound_group_sessions[room_id].id
    await bot.rooms.kick(room_id, ben.client.user_id)
    await bot.syncer.step()
    sent = await bot.sender.send_event(room_id, contents.notice(plain("after")), "r2")
    session = bot.client.olm.outbound_group_sessions[room_id]
    assert session.id != before
    assert {user for user, _ in session.users_shared_with} == {ana.client.user_id}
    await ana.see(sent)
    assert ana.could_read(sent)
