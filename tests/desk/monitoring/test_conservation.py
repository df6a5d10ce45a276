# SPDX-License-Identifier: AGPL-3.0-or-later
"""What came in is what was made of it, and whatever breaks this is told with numbers."""

import pytest

from desk.monitoring.accounting import check_yesterday
from storage.models import Letter, LetterState, Message, MessageKind
from storage.queries.accounting import Census
from storage.queries.letters import IncomingMail
from tests.worlds.desk import Desk


async def comes(desk: Desk, state: LetterState, **facts: object) -> int:
    """A letter comes and ends in a state; return its number."""
    async with desk.units() as unit:
        raw, now = desk.world.token().encode(), desk.clock.now
        number = await unit.letters.keep(
            IncomingMail("en", "", None, raw), ref=desk.world.token(), at=now, source="lmtp"
        )
        kept = await unit.letters.get(number or 0)
        assert kept is not None
        kept.state = state
        for name, value in facts.items():
            setattr(kept, name, value)
        return kept.id


async def is_in(desk: Desk, ticket: int, letter: int | None) -> None:
    """A letter's text stands in a ticket."""
    async with desk.units() as unit:
        message = Message(
            ref=desk.world.token(),
            ticket=await unit.tickets.get(ticket),
            letter_id=letter,
            kind=MessageKind.IN,
            at=desk.clock.now,
        )
        message.text = "hello"
        await unit.messages.add(message)


async def check(desk: Desk) -> Census | None:
    async with desk.units() as unit:
        return await check_yesterday(desk.work(unit))


async def said(desk: Desk) -> str:
    return "\n".join(row.payload or "" for row in await desk.rows("say"))


@pytest.fixture(name="day")
async def make_day(desk: Desk) -> Desk:
    """A day on which one letter of every kind came, before its midnight."""
    await desk.ticket()
    # The fixture's own message came with no letter, on the day before.
    desk.clock.pass_by(days=1)
    for state in (LetterState.TICKET, LetterState.FOLLOW_UP):
        await is_in(desk, 1, await comes(desk, state, ticket_id=1))
    await comes(desk, LetterState.FOLLOW_UP, ticket_id=1, reason="bounce")
    await comes(desk, LetterState.QUARANTINED, reason="it is too large")
    await comes(desk, LetterState.DROPPED, reason="our own mail came back")
    await comes(desk, LetterState.NEW)
    desk.clock.pass_by(hours=13)
    return desk


async def test_a_day_that_adds_up_is_not_worth_a_word(day: Desk) -> None:
    found = await check(day)
    assert found == Census(
        received=6,
        counts={
            LetterState.TICKET: 1,
            LetterState.FOLLOW_UP: 2,
            LetterState.QUARANTINED: 1,
            LetterState.DROPPED: 1,
            LetterState.NEW: 1,
        },
        lost=(),
        orphans=0,
    )
    assert await said(day) == ""


async def test_each_day_is_checked_once_and_none_is_left_out(day: Desk) -> None:
    assert await check(day)
    assert await check(day) is None
    day.clock.pass_by(hours=20)
    await comes(day, LetterState.QUARANTINED, reason="x")
    day.clock.pass_by(days=3)
    found = await check(day)
    assert found is not None
    assert found.received == 1


async def test_letters_of_which_nothing_came_are_named(day: Desk) -> None:
    day.clock.pass_by(hours=-2)
    lost = [
        await comes(day, LetterState.TICKET),
        await comes(day, LetterState.TICKET, ticket_id=1),
        await comes(day, LetterState.FOLLOW_UP),
        await comes(day, LetterState.QUARANTINED),
        await comes(day, LetterState.QUARANTINED, reason=""),
        await comes(day, LetterState.DROPPED),
    ]
    day.clock.pass_by(hours=2)
    found = await check(day)
    assert found is not None
    assert found.lost == tuple(lost)
    numbers = ", ".join(map(str, lost))
    assert (
        "The letters of 2026-03-03 do not add up: 12 received, but 1 new tickets + 2 follow-ups + "
        f"1 in quarantine + 1 dropped + 1 waiting = 6. Nothing came of letter {numbers}, though"
    ) in await said(day)


async def test_a_letter_that_was_deleted_under_its_message_is_missed(day: Desk) -> None:
    async with day.units() as unit:
        letter = await unit._session.get(Letter, 1)
        await unit._session.delete(letter)
    found = await check(day)
    assert found is not None
    assert found.orphans == 1
    assert "1 messages of users have lost the letters they came in." in await said(day)


async def test_what_was_forgotten_with_its_ticket_is_not_missed(day: Desk) -> None:
    day.clock.pass_by(hours=-2)
    await comes(day, LetterState.TICKET, wrapped_key=None)
    day.clock.pass_by(hours=2)
    await check(day)
    assert await said(day) == ""


async def test_letters_that_wait_for_more_than_a_day_are_named(day: Desk) -> None:
    await check(day)
    day.clock.pass_by(days=1)
    await check(day)
    assert "For more than a day these letters have waited to be opened: 6." in await said(day)
