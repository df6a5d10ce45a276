# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters that were refused at fetching: in quarantine like all others, though they lie in their mailbox."""

import pytest

from desk.monitoring.accounting import check_yesterday
from desk.outbox.posts import say_from_json
from desk.quarantine import left_in_mailbox
from desk.quarantine.left_in_mailbox import RefusedLetter
from storage.models import LetterState, MailboxAction
from storage.queries.left_in_mailbox import LeftLetter
from storage.queries.letters import IncomingMail
from tests.commands.families.test_quarantine import adds_up, comes, look
from tests.worlds.desk import ANA, USER, Desk

STRAY = RefusedLetter("main", "7/1", "it is for none of the queues' addresses", 900, "imap", head=b"From: a")
LARGE = RefusedLetter(
    "main", "7/2", "it has 30.0 MB, and 25 MB are the limit", 30_000_000, "imap", "en", b"From: b"
)


async def are_refused(desk: Desk, *refused: RefusedLetter) -> None:
    for each in refused or (STRAY, LARGE):
        async with desk.units() as unit:
            await left_in_mailbox.note_refused(desk.work(unit), each)


async def wishes(desk: Desk, mailbox: str = "main") -> list[LeftLetter]:
    async with desk.units() as unit:
        return list(await unit.outside.wished(mailbox))


async def is_fetched(desk: Desk, raw: bytes = b"raw", queue: str = "en") -> bool:
    """Let the mailbox's fetcher bring in the one letter that is wanted."""
    [lying] = await wishes(desk)
    new = IncomingMail(queue, USER, None, raw)
    async with desk.units() as unit:
        return await left_in_mailbox.bring_in(desk.work(unit), lying, new)


async def told(desk: Desk) -> list[str]:
    return [say_from_json(row.payload).text for row in await desk.rows("say")]


async def test_they_are_told_once_listed_and_counted(desk: Desk):
    await are_refused(desk)
    await are_refused(desk)
    desk.clock.pass_by(minutes=5)
    assert await desk.say("!quarantine list", where="ops") == (
        "In quarantine: 2\n"
        "1 - · 5 min · 1 KB · in mailbox main · it is for none of the queues' addresses\n"
        "2 en · 5 min · 30000 KB · in mailbox main · it has 30.0 MB, and 25 MB are the limit"
    )
    assert (await desk.say("!quarantine list")).startswith("In quarantine: 1\n2 en")
    first, second = await told(desk)
    assert "`!quarantine show 1`" in first
    assert "`!quarantine show 2`" in second
    assert await adds_up(desk) == {LetterState.QUARANTINED: 2}


async def test_the_daily_check_counts_them(desk: Desk):
    await are_refused(desk)
    desk.clock.pass_by(days=1)
    async with desk.units() as unit:
        found = await check_yesterday(desk.work(unit))
    assert (found.received, found.counts, found.lost) == (2, {LetterState.QUARANTINED: 2}, ())


async def test_what_is_known_of_one_is_shown_at_once(desk: Desk):
    await are_refused(desk)
    said = await desk.say("!quarantine show 2")
    assert "Letter 2, in quarantine, 0 min old: it has 30.0 MB" in said
    assert "It lies in mailbox main" in said
    assert "Size: 30000000 bytes. Queue: en." in said
    assert await desk.rows("quarantine.show") == []
    await desk.say("!quarantine release 2")
    assert (await desk.say("!quarantine show 2")).endswith("It is being fetched.")


async def test_one_for_no_queue_needs_a_queue_to_be_released_into(desk: Desk):
    await are_refused(desk, STRAY)
    said = await desk.say("!quarantine release 1", where="ops")
    assert "say for which queue it is: `!quarantine release 1 en`" in said
    assert await wishes(desk) == []
    said = await desk.say("!quarantine release 1 FR", where="ops")
    assert said == (
        "Letter 1 is fetched from mailbox main at the next look into it. Then it becomes a new ticket."
    )
    [lying] = await wishes(desk)
    assert (lying.letter_id, lying.queue, lying.size, lying.wish) == (1, "fr", 900, MailboxAction.TAKE)
    assert await wishes(desk, "other") == []
    assert await adds_up(desk) == {LetterState.QUARANTINED: 1}
    assert await is_fetched(desk, queue="fr")
    letter = await look(desk, 1)
    assert (letter.state, letter.queue, letter.released_by) == (LetterState.NEW, "fr", ANA)
    async with desk.units() as unit:
        assert await unit.letters.raw(await unit.letters.get(1)) == b"raw"
        assert await unit.outside.of(1) is None
    [lying] = await wishes(desk)
    assert lying.wish is MailboxAction.PUT_AWAY


async def test_a_ticket_that_is_named_says_for_which_queue_it_is(desk: Desk):
    await desk.ticket(mailbox="fr", queue="fr")
    await are_refused(desk, STRAY)
    assert (await desk.say("!quarantine release 1 #1", where="ops")).endswith("Then it goes to ticket 1.")
    assert [each.queue for each in await wishes(desk)] == ["fr"]


async def test_one_that_came_otherwise_meanwhile_is_no_second_letter(desk: Desk):
    await comes(desk)
    await are_refused(desk, LARGE)
    await desk.say("!quarantine recheck 2")
    assert await is_fetched(desk)
    letter = await look(desk, 2)
    assert (letter.state, letter.reason) == (LetterState.DROPPED, "the same mail came before, as letter 1")
    assert "Letter 2 is dropped and counted: the same mail came before, as letter 1." in await told(desk)


async def test_one_that_cannot_be_had_stays_and_whoever_asked_reads_why(desk: Desk):
    await are_refused(desk, LARGE)
    await desk.say("!quarantine release 1", where="en")
    [lying] = await wishes(desk)
    for _ in range(2):
        async with desk.units() as unit:
            await left_in_mailbox.give_up(desk.work(unit), lying, "it is empty")
    said = [text for text in await told(desk) if text.startswith("Letter 1 stays")]
    assert said == ["Letter 1 stays in mailbox main, in quarantine: it is empty."]
    letter = await look(desk, 1)
    assert (letter.state, letter.reason, letter.released_by) == (LetterState.QUARANTINED, "it is empty", None)
    assert await wishes(desk) == []


async def test_a_dropped_one_is_deleted_in_its_mailbox(desk: Desk):
    await are_refused(desk, LARGE)
    await desk.say("!quarantine recheck 1")
    said = await desk.say("!quarantine drop 1", verified=True)
    assert "It is deleted in mailbox main at the next look into it." in said
    assert await adds_up(desk) == {LetterState.DROPPED: 1}
    [lying] = await wishes(desk)
    assert lying.wish is MailboxAction.DROP
    assert not await is_fetched(desk)
    async with desk.units() as unit:
        await left_in_mailbox.give_up(desk.work(unit), lying, "it is empty")
        await left_in_mailbox.forget(unit, lying)
    assert await wishes(desk) == []
    assert (await look(desk, 1)).state is LetterState.DROPPED


@pytest.mark.parametrize("what", ["show 1", "release 1 en", "recheck 1", "drop 1"])
async def test_one_for_no_queue_is_for_operators_alone(desk: Desk, what: str):
    await are_refused(desk, STRAY)
    said = await desk.say(f"!quarantine {what}", where="en", verified=True)
    assert said.startswith("No letter 1 is in quarantine here.")
