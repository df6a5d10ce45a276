# SPDX-License-Identifier: AGPL-3.0-or-later
"""Rooms are private and encrypted, are found again after a crash, and give guests no power."""

from dataclasses import replace

import pytest

from bot.errors import Rejected
from bot.http.wire import Json, path, request
from bot.rooms.rooms import AGENT, RoomPlan
from tests.bot.conftest import Enter, Gather
from tests.bot.people import Bot, Memory, Peer, running

PLAN = RoomPlan("ref-a", "German desk")


async def state(bot: Bot, room_id: str, kind: str) -> Json:
    return await request(bot.client, "GET", path("rooms", room_id, "state", kind, ""))


@pytest.mark.parametrize("version", ["11", "12"])
async def test_a_new_room_is_private_encrypted_and_the_bots_own(bot: Bot, version: str) -> None:
    room_id = await bot.rooms.create_room(replace(PLAN, version=version, federate=False))
    created = await state(bot, room_id, "m.room.create")
    assert (created["room_version"], created["m.federate"]) == (version, False)
    assert (await state(bot, room_id, "m.room.encryption"))["algorithm"] == "m.megolm.v1.aes-sha2"
    assert (await state(bot, room_id, "m.room.join_rules"))["join_rule"] == "invite"
    assert (await state(bot, room_id, "m.room.guest_access"))["guest_access"] == "forbidden"
    assert (await state(bot, room_id, "m.room.history_visibility"))["history_visibility"] == "invited"
    assert await bot.rooms.missing_rights(room_id) == ()


@pytest.mark.parametrize("version", ["11", "12"])
async def test_a_room_made_before_a_crash_is_found_again(memory: Memory, version: str) -> None:
    plan = replace(PLAN, version=version)
    async with running(memory) as bot:
        await bot.rooms.create_room(replace(plan, ref="ref-b"))
        made = await bot.rooms.create_room(plan)
    async with running(memory) as bot:
        assert await bot.rooms.find_room("ref-a") == made
        assert await bot.rooms.open_room(plan) == made
        assert await bot.rooms.find_room("ref-c") is None
        assert len(await bot.rooms.joined_rooms()) == 2


async def test_guests_can_speak_and_nothing_else(bot: Bot, enter: Enter) -> None:
    guest = await enter("guest")
    agent = await enter("agent")
    stranger = await enter("stranger")
    plan = replace(
        PLAN,
        invite=(guest.client.user_id, agent.client.user_id),
        powers={agent.client.user_id: AGENT},
        history="joined",
    )
    room_id = await bot.rooms.create_room(plan)
    for peer in (guest, agent):
        await peer.join(room_id)
    await bot.meet(room_id)
    assert await guest.say(room_id, "hello")

    for tried in dangerous(room_id, guest, agent.client.user_id, stranger.client.user_id):
        with pytest.raises(Rejected, match="forbids"):
            await request(guest.client, *tried)
    invites, *_, takes_power = dangerous(room_id, agent, "", stranger.client.user_id)
    for tried in (invites, takes_power):
        with pytest.raises(Rejected, match="forbids"):
            await request(agent.client, *tried)


def dangerous(room_id: str, who: Peer, agent_id: str, stranger_id: str) -> list[tuple[str, str, Json]]:
    """What a guest must not be able to do."""
    powers = {"users": {who.client.user_id: 100}}
    return [
        ("POST", path("rooms", room_id, "invite"), {"user_id": stranger_id}),
        ("POST", path("rooms", room_id, "kick"), {"user_id": agent_id}),
        ("PUT", path("rooms", room_id, "state", "m.room.name", ""), {"name": "mine"}),
        ("PUT", path("rooms", room_id, "state", "m.room.join_rules", ""), {"join_rule": "public"}),
        ("PUT", path("rooms", room_id, "state", "m.room.power_levels", ""), powers),
    ]


async def test_inviting_and_removing_twice_is_the_same_as_once(
    bot: Bot, enter: Enter, gather: Gather
) -> None:
    ana = await enter("ana")
    ana_id = ana.client.user_id
    room_id = await gather(bot)
    for _ in range(2):
        await bot.rooms.invite(room_id, ana_id)
    assert set(await bot.rooms.present(room_id)) == {bot.session.user_id, ana_id}
    await ana.join(room_id)
    await bot.rooms.invite(room_id, ana_id)
    for _ in range(2):
        await bot.rooms.kick(room_id, ana_id)
    assert await bot.rooms.present(room_id) == (bot.session.user_id,)


async def test_powers_are_given_without_taking_those_of_others(bot: Bot, gather: Gather) -> None:
    room_id = await gather(bot)
    await bot.rooms.set_powers(room_id, {"@ana:x": 50})
    await bot.rooms.set_powers(room_id, {"@ben:x": 50})
    users = (await state(bot, room_id, "m.room.power_levels"))["users"]
    assert users == {bot.session.user_id: 100, "@ana:x": 50, "@ben:x": 50}


async def test_only_invitations_of_the_given_people_are_accepted(bot: Bot, enter: Enter) -> None:
    ana = await enter("ana")
    eve = await enter("eve")
    ours = (await ana.client.room_create(invite=[bot.session.user_id])).room_id
    theirs = (await eve.client.room_create(invite=[bot.session.user_id])).room_id
    await bot.syncer.step()
    asked = {change.room_id: change.sender for batch in bot.journal.batches for change in batch.memberships}
    assert asked == {ours: ana.client.user_id, theirs: eve.client.user_id}
    allowed = {ana.client.user_id}
    assert await bot.rooms.accept_invite(ours, asked[ours], allowed)
    assert not await bot.rooms.accept_invite(theirs, asked[theirs], allowed)
    assert await bot.rooms.joined_rooms() == (ours,)


async def test_a_room_left_is_forgotten_and_leaving_again_does_no_harm(bot: Bot, gather: Gather) -> None:
    room_id = await gather(bot)
    for _ in range(2):
        await bot.rooms.leave(room_id)
    assert await bot.rooms.joined_rooms() == ()
    assert room_id not in bot.client.rooms
    with pytest.raises(Rejected):
        await request(bot.client, "GET", path("rooms", room_id, "messages", query={"dir": "b"}))


async def test_what_is_missing_in_a_room_given_to_the_bot_is_told(bot: Bot, enter: Enter) -> None:
    ana = await enter("ana")
    room_id = (await ana.client.room_create(invite=[bot.session.user_id])).room_id
    assert await bot.rooms.missing_rights(room_id) == ("The bot is not in the room: invite it.",)
    await bot.rooms.join(room_id)
    missing = await bot.rooms.missing_rights(room_id)
    assert missing == (
        "The room is not encrypted.",
        "Newcomers can read what was said before they were invited.",
        "The bot may not remove people.",
        "The bot may not redact.",
        "The bot may not change power levels.",
    )
