# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every event is heard at least once, in order, and nothing from before our time, on a real Synapse."""

import asyncio
import datetime as dt
from typing import Any
from unittest.mock import AsyncMock

import pytest
from nio import AsyncClient

from bot.http.wire import Json, path, request
from bot.identity import device_keys
from bot.sending import contents
from bot.sending.rendering import plain
from bot.sync import paging
from commands.event import EventKind
from tests.bot.conftest import Enter, Gather
from tests.bot.people import EPOCH, Bot, Memory, Peer, running
from tests.services.synapse import Homeserver


async def hear(bot: Bot, *bodies: str) -> None:
    """Sync until these and no others have been heard."""
    for _ in range(10):
        if bot.journal.bodies == list(bodies):
            return
        await bot.syncer.step()
    assert bot.journal.bodies == list(bodies)


async def lose_token(memory: Memory, enter: Enter, gather: Gather, *said: str) -> tuple[Peer, str]:
    """Hear one command, lose the token, and miss some more; return who said it and where."""
    ana = await enter("ana")
    async with running(memory) as bot:
        await bot.syncer.step()
        room_id = await gather(bot, ana)
        await ana.say(room_id, "!heard")
        await hear(bot, "!heard")
        await bot.sender.send_event(room_id, contents.notice(plain("answered")), "r1")
    for text in said:
        content = {"msgtype": "m.text", "body": text}
        await ana.client.room_send(room_id, "m.room.message", content, ignore_unverified_devices=True)
    memory.journal.token = None
    return ana, room_id


@pytest.mark.parametrize("token", [None, "s0_nonsense"])
async def test_without_a_token_that_counts_all_that_was_not_heard_is_looked_for(
    memory: Memory, enter: Enter, gather: Gather, token: str | None
) -> None:
    await lose_token(memory, enter, gather, *(f"!missed {number}" for number in range(60)))
    memory.journal.token = token
    async with running(memory) as bot:
        task = asyncio.create_task(bot.syncer.run())
        async with asyncio.timeout(60):
            await bot.journal.hears(["!heard", *(f"!missed {number}" for number in range(60))])
        (batch,) = [batch for batch in bot.journal.batches if batch.recovered and batch.heard]
        assert [event.body for event in batch.heard] == [f"!missed {number}" for number in range(60)]
        assert batch.gaps == ()
        task.cancel()


async def test_what_a_desk_has_answered_whose_database_is_lost_is_not_looked_for(
    memory: Memory, enter: Enter, gather: Gather
) -> None:
    await lose_token(memory, enter, gather, "!after the answer")
    memory.journal.heard.clear()
    memory.journal.knows_own_words = False
    async with running(memory) as bot:
        await hear(bot, "!after the answer")
        assert bot.journal.batches[-1].gaps == ()


async def test_what_is_too_old_or_too_much_to_look_for_is_a_gap(
    memory: Memory, enter: Enter, gather: Gather, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, room_id = await lose_token(memory, enter, gather, *(f"!missed {number}" for number in range(60)))
    memory.journal.oldest = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    async with running(memory) as bot:
        await bot.syncer.step()
        assert (bot.journal.bodies, bot.journal.batches[-1].gaps) == (["!heard"], (room_id,))
    memory.journal.token, memory.journal.oldest = None, EPOCH
    monkeypatch.setattr(paging, "PAGES", 1)
    async with running(memory) as bot:
        await bot.syncer.step()
        assert bot.journal.batches[-1].gaps == (room_id,)
        assert bot.journal.bodies[1:] == [f"!missed {number}" for number in range(10, 60)]


async def test_without_a_token_what_cannot_be_read_is_a_gap_and_is_not_asked_for_one_by_one(
    memory: Memory, enter: Enter, gather: Gather
) -> None:
    ana, room_id = await lose_token(memory, enter, gather)
    await say_without_key(ana, room_id, "!sealed")
    async with running(memory) as bot:
        await bot.syncer.step()
        assert (bot.journal.batches[-1].gaps, bot.journal.undecryptable) == ((room_id,), {})


async def test_a_crash_before_the_commit_brings_the_batch_again(
    memory: Memory, enter: Enter, gather: Gather
) -> None:
    ana = await enter("ana")
    async with running(memory) as bot:
        await bot.syncer.step()
        room_id = await gather(bot, ana)
        for text in ("!one", "!two", "!three"):
            await ana.say(room_id, text)
        bot.journal.failures = [asyncio.CancelledError()]
        with pytest.raises(asyncio.CancelledError):
            await bot.syncer.step()
        assert bot.journal.bodies == []
    async with running(memory) as bot:
        await hear(bot, "!one", "!two", "!three")
        assert all(event.verified for event in bot.journal.heard.values())


async def test_a_restart_after_the_commit_brings_nothing_again(
    memory: Memory, enter: Enter, gather: Gather
) -> None:
    ana = await enter("ana")
    async with running(memory) as bot:
        await bot.syncer.step()
        room_id = await gather(bot, ana)
        await ana.say(room_id, "!one")
        await hear(bot, "!one")
    async with running(memory) as bot:
        kept = len(memory.journal.batches)
        await bot.syncer.step()
        assert [event for batch in memory.journal.batches[kept:] for event in batch.heard] == []
        await ana.say(room_id, "!two")
        await hear(bot, "!one", "!two")


async def test_what_was_said_while_the_bot_was_away_is_paged_back_and_decrypted(
    memory: Memory, enter: Enter, gather: Gather
) -> None:
    ana = await enter("ana")
    async with running(memory) as bot:
        await bot.syncer.step()
        room_id = await gather(bot, ana)
        await ana.say(room_id, "!before")
        await hear(bot, "!before")
    said = [f"line {number}" for number in range(120)]
    for text in said:
        await ana.client.room_send(
            room_id, "m.room.message", {"msgtype": "m.text", "body": text}, ignore_unverified_devices=True
        )
    async with running(memory) as bot:
        kept = len(memory.journal.batches)
        await bot.syncer.step()
        heard = [event for batch in memory.journal.batches[kept:] for event in batch.heard]
        assert [event.body for event in heard] == said
        assert all(event.decrypted and event.verified for event in heard)


async def test_what_was_said_before_we_joined_is_not_for_us(bot: Bot, enter: Enter) -> None:
    ana = await enter("ana")
    encryption = {
        "type": "m.room.encryption",
        "state_key": "",
        "content": {"algorithm": "m.megolm.v1.aes-sha2"},
    }
    room_id = (await ana.client.room_create(initial_state=[encryption])).room_id
    await ana.look()
    await ana.client.room_put_state(room_id, "m.room.history_visibility", {"history_visibility": "shared"})
    await ana.client.room_invite(room_id, bot.session.user_id)
    for number in range(3):
        await ana.say(room_id, f"!old {number}")
    await bot.syncer.step()
    (invitation,) = [change for batch in bot.journal.batches for change in batch.memberships]
    assert (invitation.membership, invitation.sender) == ("invite", ana.client.user_id)

    assert await bot.rooms.accept_invite(room_id, invitation.sender, {ana.client.user_id})
    await bot.meet(room_id)
    await ana.say(room_id, "!new")
    await hear(bot, "!new")
    assert bot.journal.undecryptable == {}


async def test_own_words_and_notices_are_not_heard_edits_are(bot: Bot, enter: Enter, gather: Gather) -> None:
    ana = await enter("ana")
    room_id = await gather(bot, ana)
    said = await ana.say(room_id, "first")
    await ana.say(room_id, "!close 1", msgtype="m.notice")
    await ana.say(room_id, "* !close 2", **contents.edit({"body": "!close 2", "msgtype": "m.text"}, said))
    await bot.sender.send_event(room_id, contents.notice(plain("!close 3")), "r1")
    await ana.say(room_id, "last")
    await hear(bot, "first", "!close 2", "last")
    assert [each.edits for each in bot.journal.heard.values()] == [None, said, None]


async def test_threads_replies_mentions_reactions_and_redactions_are_told(
    bot: Bot, enter: Enter, gather: Gather
) -> None:
    ana = await enter("ana")
    room_id = await gather(bot, ana)
    root = await bot.sender.send_event(room_id, contents.notice(plain("ticket 1")), "r1")
    await ana.see(root)
    own_id = bot.session.user_id
    relation = contents.in_thread({}, root)["m.relates_to"]
    in_thread = await ana.say(room_id, "!claim", **{"m.relates_to": relation})
    quoting = f"> <{own_id}> ticket 1\n> !close 1\n\n!show"
    reply = await ana.say(
        room_id,
        quoting,
        **contents.in_reply({}, root),
        **{"m.mentions": {"user_ids": [own_id], "room": True}},
    )
    sent = await ana.client.room_send(room_id, "m.reaction", contents.reaction(root, "👀"))
    await bot.syncer.step()
    await ana.client.room_redact(room_id, sent.event_id)
    await bot.syncer.step()

    heard = bot.journal.heard
    assert (heard[in_thread].thread_root, heard[in_thread].relates_to) == (root, None)
    assert (heard[reply].body, heard[reply].relates_to, heard[reply].mentions) == ("!show", root, (own_id,))
    assert heard[reply].mentions_room
    reaction = heard[sent.event_id]
    assert (reaction.kind, reaction.key, reaction.relates_to) == (EventKind.REACTION, "👀", root)
    redaction = list(heard.values())[-1]
    assert (redaction.kind, redaction.relates_to) == (EventKind.REDACTION, sent.event_id)


async def test_an_event_whose_key_comes_late_is_heard_then(bot: Bot, enter: Enter, gather: Gather) -> None:
    ana = await enter("ana")
    room_id = await gather(bot, ana)
    said, keys = await say_without_key(ana, room_id, "!late")
    await bot.syncer.step()
    (found,) = bot.journal.undecryptable.values()
    assert (found.event_id, found.sender, found.key_missing) == (said, ana.client.user_id, True)
    assert bot.journal.bodies == []

    await device_keys.send_to_devices(ana.client, "m.room.encrypted", keys)
    await hear(bot, "!late")
    heard = bot.journal.heard[said]
    assert (heard.late, heard.decrypted, heard.verified) == (True, True, True)
    assert heard.place == found.place != ""


@pytest.mark.parametrize("dies_with_the_key", [False, True])
async def test_a_late_key_opens_the_event_also_after_a_restart(
    memory: Memory, enter: Enter, gather: Gather, *, dies_with_the_key: bool
) -> None:
    ana = await enter("ana")
    async with running(memory) as bot:
        await bot.syncer.step()
        room_id = await gather(bot, ana)
        _, keys = await say_without_key(ana, room_id, "!late")
        await bot.syncer.step()
        assert bot.journal.bodies == []
    await device_keys.send_to_devices(ana.client, "m.room.encrypted", keys)
    if dies_with_the_key:
        async with running(memory) as bot:
            bot.syncer._keep = AsyncMock(side_effect=asyncio.CancelledError)
            with pytest.raises(asyncio.CancelledError):
                await bot.syncer.step()
    async with running(memory) as bot:
        await hear(bot, "!late")


async def say_without_key(ana: Peer, room_id: str, text: str) -> tuple[str, Json]:
    """Say something and hold the key back; return the event's id and the messages that carry the key."""
    await ana.look()
    client = ana.client
    await client.keys_claim(client.get_missing_sessions(room_id))
    batches = client.olm.share_group_session_parallel(
        room_id, list(client.rooms[room_id].users), ignore_unverified_devices=True
    )
    ((_, keys),) = list(batches)
    client.olm.outbound_group_sessions[room_id].shared = True
    response = await client.room_send(room_id, "m.room.message", {"msgtype": "m.text", "body": text})
    return response.event_id, keys


async def claim_all(thief: AsyncClient, bot: Bot, times: int) -> list[str]:
    """Claim this many one-time keys of the bot; return the ids of the keys."""
    wanted = {"one_time_keys": {bot.session.user_id: {bot.session.device_id: "signed_curve25519"}}}
    names = []
    for _ in range(times):
        answer = await request(thief, "POST", path("keys", "claim"), wanted)
        names += answer["one_time_keys"][bot.session.user_id][bot.session.device_id]
    return names


async def test_exhausted_one_time_keys_are_refilled_after_a_restart(memory: Memory, enter: Enter) -> None:
    ana = await enter("ana")
    async with running(memory) as bot:
        await bot.syncer.step()
        await bot.syncer.step()
    names = await claim_all(ana.client, bot, 60)
    assert len(set(names[:50])) == 50
    assert len(set(names[50:])) == 1, "once they are gone the fallback key is handed out"
    async with running(memory) as bot:
        await bot.syncer.step()
        await bot.syncer.step()
        fresh = await claim_all(ana.client, bot, 10)
    assert len(set(fresh)) == 10
    assert not set(fresh) & set(names)


async def test_a_used_fallback_key_is_replaced_and_still_opens_what_was_sent_with_it(
    memory: Memory, enter: Enter, gather: Gather
) -> None:
    ana = await enter("ana")
    thief = await enter("eve")
    async with running(memory) as bot:
        await bot.syncer.step()
        room_id = await gather(bot, ana)
    await claim_all(thief.client, bot, 50)
    said = await ana.say(room_id, "!with the fallback key")
    async with running(memory) as bot:
        await hear(bot, "!with the fallback key")
        assert bot.journal.heard[said].verified
        await bot.syncer.step()
    async with running(memory) as bot:
        sync = await request(bot.client, "GET", path("sync", query={"timeout": "0", "filter": "{}"}))
        assert not device_keys.lacks_fallback_key(sync)


async def test_comings_and_goings_are_told(bot: Bot, enter: Enter, gather: Gather) -> None:
    ana = await enter("ana")
    ben = await enter("ben")
    room_id = await gather(bot, ana)
    await bot.rooms.invite(room_id, ben.client.user_id)
    await ben.join(room_id)
    await ben.client.room_leave(room_id)
    for _ in range(3):
        await bot.syncer.step()
    told = [
        (change.user_id, change.membership, change.sender)
        for batch in bot.journal.batches
        for change in batch.memberships
        if change.user_id == ben.client.user_id
    ]
    ben_id = ben.client.user_id
    assert told == [
        (ben_id, "invite", bot.session.user_id),
        (ben_id, "join", ben_id),
        (ben_id, "leave", ben_id),
    ]


async def test_what_was_redacted_before_we_saw_it_is_neither_heard_nor_undecryptable(
    bot: Bot, enter: Enter, gather: Gather
) -> None:
    ana = await enter("ana")
    room_id = await gather(bot, ana)
    await ana.client.room_redact(room_id, await ana.say(room_id, "!regretted"))
    await ana.say(room_id, "!kept")
    await hear(bot, "", "!kept")
    assert bot.journal.undecryptable == {}


async def test_an_encrypted_payload_of_odd_shape_stops_nothing(
    bot: Bot, enter: Enter, gather: Gather
) -> None:
    ana = await enter("ana")
    room_id = await gather(bot, ana)
    root = await ana.say(room_id, "before")
    contents: list[Any] = [
        {"body": 3},
        {"msgtype": "m.text", "body": [1]},
        {"msgtype": {}, "m.relates_to": []},
        [],
        "x",
        3,
    ]
    for odd in contents:
        cipher = ana.client.olm.group_encrypt(room_id, {"type": "m.room.message", "content": odd})
        outside = {**cipher, "m.relates_to": {"rel_type": "m.thread", "event_id": root}}
        where = path("rooms", room_id, "send", "m.room.encrypted", f"odd{odd}")
        await request(ana.client, "PUT", where, outside)
    garbage = {**cipher, "ciphertext": "AAAA"}
    await request(ana.client, "PUT", path("rooms", room_id, "send", "m.room.encrypted", "garbage"), garbage)
    last = {"msgtype": "m.text", "body": "after"}
    await ana.client.room_send(room_id, "m.room.message", last, ignore_unverified_devices=True)
    for _ in range(3):
        await bot.syncer.step()
    assert [body for body in bot.journal.bodies if body] == ["before", "after"]
    assert not any(found.key_missing for found in bot.journal.undecryptable.values())


async def test_a_restarted_homeserver_is_picked_up_again(
    synapse: Homeserver, memory: Memory, enter: Enter, gather: Gather
) -> None:
    ana = await enter("ana")
    async with running(memory) as bot:
        await bot.syncer.step()
        room_id = await gather(bot, ana)
        task = asyncio.create_task(bot.syncer.run())
        synapse.stop()
        await bot.syncing_stumbles()
        # In this thread: the homeserver dies with the thread that started it.
        synapse.start()
        await ana.say(room_id, "!after")
        async with asyncio.timeout(60):
            await bot.journal.hears(["!after"])
        task.cancel()
