# SPDX-License-Identifier: AGPL-3.0-or-later
"""Problems are counted by people, not by mails, and stay counted when a ticket is gone."""

import datetime as dt

import pytest
from sqlalchemy import delete, text

from storage.migrating import migrate
from storage.models import Sighting, Ticket
from tests.worlds.desk import Desk

DAY = dt.timedelta(days=1)


async def seen(desk: Desk, issue: int, contact: str | None, **facts: str) -> int:
    """Somebody writes, and an agent links the ticket to an issue."""
    number = await desk.ticket(contact=contact, **facts)
    assert "Linked to" in await desk.say(f"!link #{issue}", ticket=number)
    return number


async def test_people_are_counted_with_versions_and_languages(desk: Desk) -> None:
    for version in ("7.1", "7.1", "7.0"):
        await seen(desk, 17, "kim@example.net", tails_version=version)
    await seen(desk, 17, "mila@example.net", tails_version="7.1", language="fr")
    await seen(desk, 18, None, whisperback_id="0123456789abcdef")
    await seen(desk, 18, None, whisperback_id="0123456789abcdef")
    await desk.ticket()
    lines = (await desk.say("!top")).split("\n")
    assert lines[1:] == [
        "2 people (+2) #17",
        "  7.1 ×2, 7.0 ×1 · en ×1, fr ×1",
        "1 person (+1) #18",
        "  version unknown ×1 · en ×1",
        "Of the tickets of this time, 1 is linked to no problem.",
    ]
    french = await desk.say("!top lang:fr")
    assert "1 person (+1) #17" in french
    assert "0 are linked" in french
    assert "2 people (+2) #17" in await desk.say("!top version:7")
    assert "#18" not in await desk.say("!top version:7.1")


async def test_the_change_against_the_time_before_is_told(desk: Desk) -> None:
    await seen(desk, 17, "kim@example.net")
    await seen(desk, 17, "luc@example.net")
    desk.clock.now += 8 * DAY
    await seen(desk, 17, "kim@example.net")
    assert "1 person (-1) #17" in await desk.say("!top 7d")
    assert "2 people (+2) #17" in await desk.say("!top 2w")
    desk.clock.now += 20 * DAY
    assert await desk.say("!top 1w") == (
        "No problem was met in the last 7 days.\nOf the tickets of this time, 0 are linked to no problem."
    )


async def test_a_sighting_follows_its_ticket(desk: Desk) -> None:
    number = await seen(desk, 17, "kim@example.net")
    await desk.say("!lang pt-br", ticket=number)
    assert "pt-br ×1" in await desk.say("!top lang:pt")
    assert "No problem was met" in await desk.say("!top lang:en")


async def test_an_unlinked_ticket_counts_no_more_and_an_erased_one_does(desk: Desk) -> None:
    first = await seen(desk, 17, "kim@example.net")
    second = await seen(desk, 17, "luc@example.net")
    await desk.say("!unlink #17", ticket=first)
    assert "1 person (+1) #17" in await desk.say("!top")
    async with desk.units() as unit:
        await unit._session.execute(delete(Ticket).where(Ticket.id == second))
    assert "1 person (+1) #17" in await desk.say("!top")


@pytest.mark.parametrize("words", ["30", "long", "lang:", "0d", "tag:x"])
async def test_what_it_does_not_know_is_said(desk: Desk, words: str) -> None:
    assert f"`!top` does not know “{words}”" in await desk.say(f"!top {words}")


async def test_links_from_before_are_counted_too(desk: Desk) -> None:
    number = await seen(desk, 17, "kim@example.net", tails_version="7.1")
    async with desk.units() as unit:
        ticket = await unit.tickets.get(number)
        assert ticket is not None
        tag = ticket.contact_tag
        await unit._session.execute(text("DROP TABLE sighting"))
        await unit._session.execute(text("DROP INDEX ix_ticket_opened_at"))
        await unit._session.execute(text("UPDATE alembic_version SET version_num = '0011'"))
    await migrate(desk.units.engine)
    async with desk.units() as unit:
        [row] = (await unit._session.execute(Sighting.__table__.select())).all()
        assert (row.ticket_id, row.day, row.version, row.reporter_tag) == (
            number,
            desk.clock.now.date(),
            "7.1",
            tag,
        )
