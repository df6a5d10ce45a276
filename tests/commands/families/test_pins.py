# SPDX-License-Identifier: AGPL-3.0-or-later
"""Admins look after identities in the operators' room, from verified devices; the desk then acts on it."""

import json

from desk.agents import identities
from tests.worlds.desk import ANA, BEN, Desk

ADMIN = {"where": "ops", "verified": True}


async def _pin(desk: Desk, user_id: str, shown: str | None = None) -> None:
    async with desk.units() as unit:
        await unit.pins.put(user_id, f"key of {user_id}", desk.clock.now)
        if shown is not None:
            await identities.changed(desk.work(unit), user_id, shown)


async def test_only_admins_in_their_room_with_a_verified_device_accept_and_drop(desk: Desk):
    await _pin(desk, BEN, "new")
    for line in (f"!pins accept {BEN}", f"!pins drop {BEN}"):
        assert "for admins" in await desk.say(line, by=BEN, **ADMIN)
        assert "needs a device that you have verified" in await desk.say(line, where="ops")
        assert "in the operators' room only" in await desk.say(line, verified=True)
    assert "in the operators' room only" in await desk.say("!pins list", verified=True)
    assert await desk.rows("pin.accept", "pin.drop") == []


async def test_what_is_told_names_the_words_that_accept_exactly_what_was_shown(desk: Desk):
    await _pin(desk, BEN, "new")
    [told] = [json.loads(row.payload)["text"] for row in await desk.rows("say")]
    words = told.rpartition("says here: `")[2].rstrip("`")
    assert "is being accepted" in await desk.say(words, **ADMIN)
    [row] = await desk.rows("pin.accept")
    assert identities.wish_from_json(row.payload) == identities.PinRequest(BEN, "new")


async def test_a_change_is_told_once_and_a_further_one_again(desk: Desk):
    for shown in ("new", "new", "newer", ""):
        async with desk.units() as unit:
            if await unit.pins.get(BEN) is None:
                await unit.pins.put(BEN, "old", desk.clock.now)
            await identities.changed(desk.work(unit), BEN, shown)
    told = [json.loads(row.payload)["text"] for row in await desk.rows("say")]
    assert ["now `new`" in told[0], "now `newer`" in told[1], "show none" in told[2]] == [True] * 3
    assert len(told) == 3
    assert f"!pins drop {BEN}" in told[2]


async def test_there_must_be_something_to_accept_or_drop(desk: Desk):
    assert "No identity of" in await desk.say(f"!pins accept {BEN}", **ADMIN)
    assert "No identity of" in await desk.say(f"!pins drop {BEN}", **ADMIN)
    await _pin(desk, BEN)
    assert "has not changed" in await desk.say(f"!pins accept {BEN}", **ADMIN)
    await _pin(desk, BEN, "")
    assert "shows no identity now" in await desk.say(f"!pins accept {BEN}", **ADMIN)


async def test_the_list_begins_with_what_has_changed(desk: Desk):
    assert await desk.say("!pins list", **ADMIN) == "No identity is pinned yet."
    await _pin(desk, ANA)
    await _pin(desk, BEN, "new")
    lines = (await desk.say("!pins list", **ADMIN)).splitlines()
    assert lines == [
        f"{BEN}: `key of {BEN}`, pinned on 2026-03-02. CHANGED: now `new`",
        f"{ANA}: `key of {ANA}`, pinned on 2026-03-02",
    ]
