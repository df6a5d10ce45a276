# SPDX-License-Identifier: AGPL-3.0-or-later
"""Keys that come with letters: the first is used, others wait, and a refreshed one needs no confirmation."""

import asyncio
import datetime as dt
import json
from dataclasses import replace
from typing import Any

import pytest

from desk.keys.offers import MOST_WAITING, KeyGrown, digest_of, keep, offer
from desk.keys.standing import contact_standing, current
from desk.letters.opened import OfferedKey
from storage.models import ContactKey, KeyState
from storage.sealing.vault import address_tag
from tests.worlds.desk import USER, Desk

YEAR = dt.timedelta(days=365)
SOURCE = "attached"


def key(digit: str = "1", **facts: Any) -> OfferedKey:
    """Make a key of the user as `mail` hands it over; its armor names it and nothing more."""
    armor = f"key {digit}".encode()
    return OfferedKey(
        **{"fingerprint": digit * 40, "source": SOURCE, "armor": armor, "addresses": (USER,), **facts}
    )


async def came(desk: Desk, offered: OfferedKey, *, by_user: bool = True, ticket: int = 1) -> None:
    async with desk.units() as unit:
        await offer(
            desk.work(unit),
            await unit.tickets.get(ticket, lock=True),
            offered,
            by_user=by_user,
        )


async def kept(desk: Desk) -> list[ContactKey]:
    """Return the user's keys, their seals opened."""
    async with desk.units() as unit:
        keys = list(await unit.keys.of(address_tag(unit.vault, USER)))
        for each in keys:
            each.data_key()
        return keys


async def states(desk: Desk) -> list[tuple[str, KeyState]]:
    return [(each.fingerprint[0], each.state) for each in await kept(desk)]


async def told(desk: Desk) -> list[str]:
    return [json.loads(row.payload)["text"] for row in await desk.rows("say")]


async def test_the_first_key_is_used_silently_and_all_of_it_is_remembered(desk: Desk):
    await desk.ticket()
    made = desk.clock.now - YEAR
    first = key(
        algorithm="Ed25519",
        created_at=made,
        addresses=(USER.upper(), "other@example.org"),
        expires_at=desk.clock.now + YEAR,
        prefers_encryption=True,
    )
    await came(desk, first)
    [row] = await kept(desk)
    assert (row.state, row.source, row.ticket_id, row.letters) == (KeyState.SEEN, SOURCE, 1, 1)
    assert (row.seen_at, row.last_seen_at, row.decided_at) == (desk.clock.now, desk.clock.now, None)
    assert (row.expires_at, row.prefers_encryption) == (desk.clock.now + YEAR, True)
    about = json.loads(row.about)
    assert (about["algorithm"], about["created"], about["names_contact"]) == (
        "Ed25519",
        made.isoformat(),
        True,
    )
    assert await told(desk) == []


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"problem": "revoked"}, "is revoked by its owner"),
        ({"problem": "unusable"}, "is not made for encryption"),
        ({"expires_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}, "has expired"),
    ],
)
async def test_a_first_key_that_cannot_be_used_is_kept_and_told(desk: Desk, facts: dict, words: str):
    await desk.ticket()
    await came(desk, key(**facts))
    assert await states(desk) == [("1", KeyState.SEEN)]
    [text] = await told(desk)
    assert words in text
    assert text.startswith("The user's public key 1111 1111")
    assert contact_standing(await kept(desk), desk.clock.now) not in {KeyState.SEEN, KeyState.NONE}


async def test_a_first_file_that_does_not_name_the_user_waits(desk: Desk):
    await desk.ticket()
    await came(desk, key("5", addresses=("friend@example.org",)))
    await came(desk, key("1"))
    assert await states(desk) == [("5", KeyState.CHANGED), ("1", KeyState.CHANGED)]
    first, second = await told(desk)
    assert first.startswith("The user sent a public key, 5555")
    assert "does not name the user's address" in first
    assert "`!key accept` or `!key refuse`" in first
    assert "does not name" not in second
    assert current(await kept(desk)) is None


@pytest.mark.parametrize("source", ["autocrypt", "report"])
async def test_a_first_key_that_is_the_user_s_by_the_way_it_came_is_used(desk: Desk, source: str):
    await desk.ticket()
    await came(desk, key(source=source, addresses=()))
    assert await states(desk) == [("1", KeyState.SEEN)]
    assert await told(desk) == []


async def test_another_key_waits_and_the_thread_says_what_to_type(desk: Desk):
    await desk.ticket()
    await came(desk, key("1"))
    await came(desk, key("2"))
    await came(desk, key("3", problem="revoked"))
    assert await states(desk) == [("1", KeyState.SEEN), ("2", KeyState.CHANGED), ("3", KeyState.CHANGED)]
    second, third = await told(desk)
    assert second.startswith("The user sent another public key, 2222 2222")
    assert "`!key accept` or `!key refuse`" in second
    assert "It is revoked by its owner." in third
    assert current(await kept(desk)).fingerprint == "1" * 40


async def test_a_key_that_somebody_else_brings_is_never_the_first(desk: Desk):
    await desk.ticket()
    await came(desk, key("6"), by_user=False)
    await came(desk, key("6"), by_user=False)
    await came(desk, key("1"))
    assert await states(desk) == [("6", KeyState.CHANGED), ("1", KeyState.CHANGED)]
    first, second = await told(desk)
    assert first.startswith("Somebody else than the user sent a public key, 6666")
    assert second.startswith("The user sent another public key, 1111")
    assert [each.letters for each in await kept(desk)] == [1, 1]


async def test_a_ticket_without_address_keeps_no_key(desk: Desk):
    await desk.ticket(contact=None)
    await came(desk, key())
    async with desk.units() as unit:
        assert await unit.keys.every() == []


async def test_the_same_copy_is_counted_and_changes_nothing(desk: Desk):
    await desk.ticket()
    await came(desk, key(prefers_encryption=True))
    desk.clock.pass_by(days=1)
    await came(desk, key(prefers_encryption=False))
    await came(desk, key())
    [row] = await kept(desk)
    assert (row.letters, row.prefers_encryption) == (3, False)
    assert row.last_seen_at - row.seen_at == dt.timedelta(days=1)


def grown(known: bytes, **facts: Any) -> OfferedKey:
    """Make a copy that was merged with a known one."""
    return replace(key(), armor=b"merged", grown_from=digest_of(known), came_as=digest_of(b"copy"), **facts)


async def test_a_copy_in_another_form_must_be_merged_first(desk: Desk):
    await desk.ticket()
    await came(desk, key())
    with pytest.raises(KeyGrown) as raised:
        await came(desk, key(armor=b"copy"))
    assert (raised.value.known, raised.value.offered.armor) == (b"key 1", b"copy")
    assert "key 1" not in str(raised.value)
    with pytest.raises(KeyGrown):
        await came(desk, grown(b"not what is kept by now"))
    [row] = await kept(desk)
    assert row.armor == b"key 1"


async def test_a_merged_copy_refreshes_without_a_question(desk: Desk):
    await desk.ticket()
    await came(desk, key(expires_at=desk.clock.now + YEAR))
    await came(desk, grown(b"key 1", expires_at=desk.clock.now + 2 * YEAR))
    await came(desk, key(armor=b"copy"))
    [row] = await kept(desk)
    assert (row.armor, row.expires_at, row.letters) == (b"merged", desk.clock.now + 2 * YEAR, 3)
    assert await told(desk) == []


async def test_a_renewed_key_and_a_revocation_are_told_and_a_revocation_is_for_ever(desk: Desk):
    await desk.ticket()
    await came(desk, key(expires_at=desk.clock.now - YEAR))
    await came(desk, grown(b"key 1", expires_at=desk.clock.now + YEAR))
    revoked = replace(grown(b"merged", problem="revoked"), armor=b"revoked", came_as=digest_of(b"c3"))
    await came(desk, revoked, by_user=False)
    older = replace(grown(b"revoked"), armor=b"older", came_as=digest_of(b"c4"))
    await came(desk, older)
    [row] = await kept(desk)
    assert (row.problem, row.state) == (KeyState.REVOKED, KeyState.SEEN)
    _, renewed, lost = await told(desk)
    assert renewed.endswith("was renewed and can be used again.")
    assert "is revoked by its owner, as a newer copy of it says" in lost


async def test_news_of_a_key_that_is_not_used_are_kept_silently(desk: Desk):
    await desk.ticket()
    await came(desk, key("2"))
    await came(desk, key("1"))
    before = await told(desk)
    await came(desk, grown(b"key 1", problem="revoked"))
    assert (await kept(desk))[1].problem is KeyState.REVOKED
    assert await told(desk) == before


async def test_a_flood_of_keys_pushes_out_only_the_oldest_that_wait(desk: Desk):
    await desk.ticket()
    await came(desk, key("f"))
    for number in range(MOST_WAITING + 3):
        await came(desk, replace(key(), fingerprint=f"{number:040}"))
    rows = await kept(desk)
    assert len(rows) == 1 + MOST_WAITING
    assert (rows[0].fingerprint[0], rows[0].state) == ("f", KeyState.SEEN)
    assert rows[-1].fingerprint.endswith(f"{MOST_WAITING + 2}")


async def test_two_first_keys_at_the_same_time_are_not_both_the_first(desk: Desk):
    first, second = await desk.ticket(), await desk.ticket()
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def hold_open() -> None:
        async with desk.units() as unit:
            ticket = await unit.tickets.get(first, lock=True)
            await offer(desk.work(unit), ticket, key("1"), by_user=True)
            inside.set()
            await go_on.wait()

    async def come_second() -> None:
        await inside.wait()
        await came(desk, key("2"), ticket=second)

    async def let_go() -> None:
        await inside.wait()
        # The second is well inside its own unit, or waits for the first, when that ends.
        await asyncio.sleep(0.2)
        go_on.set()

    await asyncio.gather(hold_open(), come_second(), let_go())
    assert await states(desk) == [("1", KeyState.SEEN), ("2", KeyState.CHANGED)]


async def test_of_many_first_keys_at_once_one_is_seen(desk: Desk):
    tickets = [await desk.ticket() for _ in range(6)]
    arrivals = [came(desk, key(str(number)), ticket=ticket) for number, ticket in enumerate(tickets)]
    await asyncio.gather(*arrivals)
    found = [state for _, state in await states(desk)]
    assert sorted(found) == sorted([KeyState.SEEN, *[KeyState.CHANGED] * 5])


async def test_the_same_key_in_many_letters_at_once_is_kept_once(desk: Desk):
    tickets = [await desk.ticket() for _ in range(6)]
    await asyncio.gather(*(came(desk, key(), ticket=ticket) for ticket in tickets))
    [row] = await kept(desk)
    assert (row.state, row.letters) == (KeyState.SEEN, 6)


async def test_what_a_sysadmin_keeps_came_with_no_letter(desk: Desk):
    await desk.ticket()
    async with desk.units() as unit:
        await keep(desk.work(unit), address_tag(unit.vault, USER), key(), KeyState.PINNED)
    [row] = await kept(desk)
    assert (row.letters, row.ticket_id) == (0, None)
