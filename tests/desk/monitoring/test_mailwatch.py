# SPDX-License-Identifier: AGPL-3.0-or-later
"""Silence of mailboxes is told once, and so is its end."""

import datetime as dt

import pytest

from desk.monitoring.mail_arrivals import MailboxHealth, watch_arrivals, watch_mailbox
from storage.queries.letters import IncomingMail
from tests.worlds.desk import Desk

LIMIT = dt.timedelta(minutes=15)


async def said(desk: Desk) -> list[str]:
    return [row.payload or "" for row in await desk.rows("say")]


async def look(desk: Desk, pulse: MailboxHealth) -> int:
    """Look as the schedule does; return how much has been said altogether."""
    async with desk.units() as unit:
        await watch_mailbox(desk.work(unit), pulse, LIMIT)
    return len(await said(desk))


async def test_silence_is_told_once_with_its_reason_and_its_end_once(desk: Desk) -> None:
    pulse = MailboxHealth("main", desk.clock.now)
    assert await look(desk, pulse) == 0
    desk.clock.pass_by(minutes=15)
    pulse.trouble = "The mail server's name is not known."
    assert await look(desk, pulse) == 0
    desk.clock.pass_by(seconds=1)
    assert [await look(desk, pulse) for _ in range(3)] == [1, 1, 1]
    assert (
        "Mailbox main was not emptied for 15 min. The mail server's name is not known. Letters wait there"
        in (await said(desk))[0]
    )
    pulse.at = desk.clock.now
    assert [await look(desk, pulse) for _ in range(3)] == [2, 2, 2]
    assert "Mailbox main is emptied again." in (await said(desk))[1]


async def test_silence_is_counted_over_restarts_and_not_told_again(desk: Desk) -> None:
    await look(desk, MailboxHealth("main", desk.clock.now))
    for told in (0, 0, 1, 1):
        assert await look(desk, MailboxHealth("main")) == told
        desk.clock.pass_by(minutes=10)
    assert await look(desk, MailboxHealth("main", desk.clock.now)) == 2


async def test_a_mailbox_that_never_worked_is_told(desk: Desk) -> None:
    assert await look(desk, MailboxHealth("main")) == 0
    desk.clock.pass_by(minutes=16)
    assert await look(desk, MailboxHealth("main")) == 1


async def test_mailboxes_are_told_apart(desk: Desk) -> None:
    well, ill = MailboxHealth("well", desk.clock.now), MailboxHealth("ill", desk.clock.now)
    desk.clock.pass_by(minutes=16)
    well.at = desk.clock.now
    assert (await look(desk, well), await look(desk, ill)) == (0, 1)


async def test_a_desk_that_never_got_a_letter_is_told_counted_from_the_first_look(desk: Desk) -> None:
    async def looks() -> int:
        async with desk.units() as unit:
            await watch_arrivals(desk.work(unit), dt.timedelta(hours=24))
        return len(await said(desk))

    assert await looks() == 0
    desk.clock.pass_by(hours=24)
    assert await looks() == 0
    desk.clock.pass_by(seconds=1)
    assert [await looks(), await looks()] == [1, 1]
    assert "No letter came in for 24 h." in (await said(desk))[0]
    async with desk.units() as unit:
        await unit.letters.keep(
            IncomingMail("en", "", None, b"one"), ref=desk.world.token(), at=desk.clock.now, source="lmtp"
        )
    assert await looks() == 2


@pytest.mark.parametrize("source", ["lmtp", "imap"])
async def test_a_day_without_letters_is_told_once(desk: Desk, source: str) -> None:
    async def looks() -> int:
        async with desk.units() as unit:
            await watch_arrivals(desk.work(unit), dt.timedelta(hours=24))
        return len(await said(desk))

    async def comes(raw: bytes) -> None:
        async with desk.units() as unit:
            new = IncomingMail("en", "", None, raw)
            await unit.letters.keep(new, ref=desk.world.token(), at=desk.clock.now, source=source)

    assert await looks() == 0
    await comes(b"one")
    desk.clock.pass_by(hours=24, seconds=1)
    assert [await looks(), await looks()] == [1, 1]
    assert "No letter came in for 24 h." in (await said(desk))[0]
    await comes(b"two")
    assert [await looks(), await looks()] == [2, 2]
    assert "Letters come in again." in (await said(desk))[1]
