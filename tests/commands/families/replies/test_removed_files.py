# SPDX-License-Identifier: AGPL-3.0-or-later
"""Files that are removed from the room, or whose answer has come to an end: none leaves, none is kept."""

import pytest

from desk.delivery import parked
from desk.kinds import KINDS
from desk.outbox.outcomes import Impossible, OutboxItem, Outcome, Unclear
from desk.outbox.posts import finish
from desk.replies import attaching
from desk.replies.drafts import protection_now
from desk.world import Refusal
from storage.models import OutboxState, ReplyState
from tests.commands.families.replies.test_attaching import answer_of, arrives, attach, files, said
from tests.worlds.desk import ANA, BEN, Desk, delivered, delivery_of


@pytest.mark.parametrize("state", [ReplyState.LEAVING, ReplyState.SENDING, ReplyState.FAILED])
async def test_a_removed_file_leaves_with_no_answer_that_was_sent_on_its_way(desk: Desk, state: ReplyState):
    await _two_answers_with_one_file(desk)
    async with desk.units() as unit:
        (await unit.messages.get(2)).state = state
        await attaching.withdraw(desk.work(unit), "$file", by=ANA)
    assert await files(desk) == []
    assert "does not leave, unless it is leaving at this moment" in "".join(await said(desk))
    async with desk.units() as unit:
        draft = await unit.messages.get(2)
        with pytest.raises(Refusal, match="a file of this answer was taken away"):
            await protection_now(unit, draft, desk.clock.now)


async def _two_answers_with_one_file(desk: Desk) -> None:
    """Let one answer be on its way, and another one be held, both with the same file."""
    await desk.ticket()
    for words in ("One.", "Two."):
        await attach(desk, reply_to="$file")
        await arrives(desk)
        await desk.say(f"!reply {words}", ticket=1)
        await deliver_but_mail(desk)
        if words == "One.":
            assert await desk.say("!send", ticket=1) == ""
    assert [answer for _, _, answer in await files(desk)] == [2, 3]


async def deliver_but_mail(desk: Desk) -> None:
    async with desk.units() as unit:
        for row in await unit.outbox.in_state(OutboxState.PENDING):
            if row.kind != "mail":
                finish(desk.world, row, OutboxState.SENT)
                row.event_id = "$preview" if row.kind == "preview" else None
                await delivered(desk.work(unit), row)


async def _mail_ends(desk: Desk, outcome: Outcome) -> None:
    async def end(_parcel: OutboxItem) -> Outcome:
        return outcome

    await delivery_of(desk.place, {"mail": end})._drain_lane("mail:2")


async def _sent_with_file(desk: Desk) -> None:
    await desk.ticket()
    await attach(desk, reply_to="$file")
    await arrives(desk)
    await desk.say("!reply Hello", ticket=1)
    await deliver_but_mail(desk)
    assert await desk.say("!send", ticket=1) == ""


async def test_a_refused_answer_whose_file_is_removed_is_not_tried_again(desk: Desk):
    await _sent_with_file(desk)
    await _mail_ends(desk, Impossible("too large"))
    [(_, _, answer)] = await files(desk)
    assert answer == 2
    async with desk.units() as unit:
        await attaching.withdraw(desk.work(unit), "$file", by=ANA)
        [row] = await unit.outbox.in_state(OutboxState.PARKED)
        with pytest.raises(Refusal, match="a file of this answer was taken away"):
            await parked.unpark(desk.work(unit), KINDS, row.id)
        assert row.state is OutboxState.PARKED


async def test_the_file_of_an_answer_that_has_perhaps_left_is_forgotten(desk: Desk):
    await _sent_with_file(desk)
    await _mail_ends(desk, Unclear("no answer"))
    assert ((await answer_of(desk)).state, await files(desk)) == (ReplyState.UNCLEAR, [])


async def test_a_closed_ticket_keeps_no_file_but_of_an_answer_on_its_way(desk: Desk):
    await _sent_with_file(desk)
    await desk.say("!close", ticket=1)
    assert len(await files(desk)) == 1
    await _mail_ends(desk, Impossible("too large"))
    assert await files(desk) == []
    await desk.say("!reopen", ticket=1)
    await attach(desk, reply_to="$file")
    await arrives(desk)
    await desk.say("!reply Again", ticket=1)
    async with desk.units() as unit:
        (await unit.messages.get(3)).state = ReplyState.FAILED
    await desk.say("!close", ticket=1)
    assert await files(desk) == []


async def test_an_older_file_is_not_taken_for_one_that_was_removed_meanwhile(desk: Desk):
    await desk.ticket()
    await attach(desk)
    await attach(desk, reply_to="$other")
    async with desk.units() as unit:
        await attaching.withdraw(desk.work(unit), "$newest", by=BEN)
    assert len(await files(desk)) == 2
    async with desk.units() as unit:
        await attaching.withdraw(desk.work(unit), "$newest", by=ANA)
    assert len(await files(desk)) == 1
    assert "Say `!attach` as a reply to the file." in (await said(desk))[-1]
