# SPDX-License-Identifier: AGPL-3.0-or-later
"""Agents find tickets: what was said is found after the commit, pages turn, words stay in their rooms."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

import commands
from commands.context import Context
from desk.outbox.posts import finish
from desk.search.feeding import Feeder
from desk.search.pages import NEXT_KEY, PAGE, PAGE_EDIT, Shown, page_of
from storage.models import OutboxState
from tests.worlds.desk import USER, Desk, delivered


@pytest.fixture(name="feeder")
async def make_feeder(desk: Desk) -> AsyncIterator[Feeder]:
    feeder = Feeder(desk.place)
    yield feeder
    await desk.units.search.close()


async def catch_up(feeder: Feeder) -> None:
    while await feeder.step():
        pass


async def shown(desk: Desk) -> Shown:
    """What the newest page is to show; it arrives."""
    row = (await desk.rows(PAGE, PAGE_EDIT))[-1]
    return page_of(row.payload or "")


async def numbers(desk: Desk, words: str, **how: str) -> list[int]:
    assert await desk.say(f"!search {words}", **how) == ""
    return [line.number for line in (await shown(desk)).lines]


async def test_what_was_said_is_found_and_what_is_said_since_too(desk: Desk, feeder: Feeder) -> None:
    await desk.ticket("My wifi is gone.", tails_version="7.1")
    await catch_up(feeder)
    assert await numbers(desk, "wifi version:7") == [1]
    await desk.ticket("The screen is black.")
    await desk.say("!note It is a Broadcom.", ticket=1)
    await desk.say("!tag wireless", ticket=1)
    await catch_up(feeder)
    assert await numbers(desk, "broadcom tag:wireless") == [1]
    assert await numbers(desk, "black OR broadcom") == [2, 1]
    assert await numbers(desk, f"contact:{USER}") == [2, 1]
    assert await numbers(desk, f'"{USER}"') == [], "addresses are not searched"


async def test_addresses_in_what_was_said_are_not_searched(desk: Desk, feeder: Feeder) -> None:
    await desk.ticket(f"Email-Address: {USER}\nMy wifi is gone, write to <kim.o+x@mail.example.net>.")
    await catch_up(feeder)
    for words in (USER, f'"{USER}"', "kim*", '"mail example net"'):
        assert await numbers(desk, words) == [], words
    assert await numbers(desk, "email address wifi write") == [1]
    assert "@" in (await shown(desk)).lines[0].snippet
    assert USER not in (await shown(desk)).lines[0].snippet


async def test_who_looks_for_an_address_leaves_a_trace_without_it(desk: Desk, feeder: Feeder) -> None:
    with capture_logs() as lines:
        await numbers(desk, f"wifi OR -contact:{USER}")
        await numbers(desk, "wifi")
    assert [line["event"] for line in lines].count("search.contact") == 1
    assert USER not in str(lines)


async def test_an_erased_ticket_is_forgotten(desk: Desk, feeder: Feeder) -> None:
    await desk.ticket("My wifi is gone.")
    await catch_up(feeder)
    async with desk.units() as unit:
        (await unit.tickets.get(1)).wrapped_key = None
    await catch_up(feeder)
    assert await numbers(desk, "wifi") == []


async def test_what_is_rolled_back_is_not_found(desk: Desk, feeder: Feeder) -> None:
    number = await desk.ticket("My wifi is gone.")
    await catch_up(feeder)

    async def change_and_fail() -> None:
        async with desk.units() as unit:
            (await unit.tickets.get(number)).subject = "Broadcom"
            await unit.flush()
            raise KeyError

    with pytest.raises(KeyError):
        await change_and_fail()
    await catch_up(feeder)
    assert await numbers(desk, "broadcom") == []


async def test_a_ticket_that_cannot_be_read_hides_no_other(desk: Desk, feeder: Feeder) -> None:
    await desk.ticket("My wifi is gone.")
    await desk.ticket("My wifi is slow.")
    async with desk.units() as unit:
        (await unit.messages.get(1)).details_sealed = b"broken"
        (await unit.messages.get(1)).text_sealed = b"broken"
    await catch_up(feeder)
    assert await numbers(desk, "wifi") == [2]


async def test_words_of_a_ticket_stay_in_its_room(desk: Desk, feeder: Feeder) -> None:
    await desk.ticket("My wifi is gone.")
    await catch_up(feeder)
    await desk.say("!search wifi", where="fr")
    [line] = (await shown(desk)).lines
    assert (line.number, line.snippet, line.facts) == (1, "", "in the room of “en”")
    assert "root1" in line.link
    await desk.say("!search wifi")
    [line] = (await shown(desk)).lines
    assert "wifi" in line.snippet
    assert "new" in line.facts


async def test_pages_are_turned_by_a_reaction(desk: Desk, feeder: Feeder) -> None:
    for _ in range(10):
        await desk.ticket("My wifi is gone.")
    await catch_up(feeder)
    await desk.say("!search wifi")
    [row] = await desk.rows(PAGE)
    page = page_of(row.payload or "")
    assert (page.title, [line.number for line in page.lines]) == (
        "10 tickets, page 1 of 2",
        [10, 9, 8, 7, 6, 5, 4, 3],
    )
    async with desk.units() as unit:
        row = await unit.outbox.get(row.id)
        row.event_id = "$page"
        await delivered(desk.work(unit), row)
        finish(desk.world, row, OutboxState.SENT)
    assert [each.kind for each in await desk.rows("react")] == ["react", "react"]
    async with desk.units() as unit:
        room = await unit.rooms.of_queue("en")
        event = replace(desk.pressed(NEXT_KEY, "$page"), event_id="$pressed")
        await commands.react(Context(event, room, desk.work(unit)))
    page = await shown(desk)
    assert (page.title, [line.number for line in page.lines]) == ("10 tickets, page 2 of 2", [2, 1])
    assert (page.event, page.pressed) == ("$page", "$pressed")


async def test_until_all_is_read_that_is_said(desk: Desk, feeder: Feeder) -> None:
    for _ in range(10):
        await desk.ticket("My wifi is gone.")
    desk.units.search.take_changed(100)
    await feeder.step()
    await desk.say("!search wifi")
    page = await shown(desk)
    assert len(page.lines) == 5
    assert page.foot == "45% of the tickets are searched so far."
    await catch_up(feeder)
    await desk.say("!search wifi")
    assert (await shown(desk)).foot == ""
