# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who is called by name: new tickets together, a ticket's owner or whoever is on duty, and nobody else."""

import asyncio
import datetime as dt
from dataclasses import replace

import pytest

from desk.config import Shift
from desk.duty.pings import PING, responsible
from desk.outbox.posts import Say, say_from_json
from desk.replies import drafts
from desk.replies.holds import begin_hold
from storage.models import OutboxState
from storage.queries.outbox import Patience
from tests.desk.intake.test_intake import PLAIN, take_in, token_of, wrote
from tests.worlds.desk import ANA, BEN, CREW, EVE, Desk, refused, unclear

ALL_DAY = Shift(ANA, frozenset(range(7)), dt.time(), dt.time(), "UTC")
PATIENCE = Patience({PING.name: dt.timedelta(minutes=5)}, [PING.name])


async def new_ticket(desk: Desk, number: int) -> None:
    await take_in(desk, wrote(f"Matter {number}", number=number, sender=f"user{number}@example.org"))


async def due_pings(desk: Desk) -> list[str]:
    """What leaves now, as if it had left."""
    async with desk.units() as unit:
        due = [row for row in await unit.outbox.heads(desk.clock.now, PATIENCE) if row.kind == "ping"]
        texts = [say_from_json(row.payload or "").text for row in due]
        for row in due:
            row.state, row.done_at = OutboxState.SENT, desk.clock.now
        return texts


async def calls(desk: Desk) -> list[str]:
    """What calls whoever is responsible."""
    said = [say_from_json(row.payload or "") for row in await desk.rows("say")]
    return [say.text for say in said if say.calls]


async def test_new_tickets_within_two_minutes_are_one_ping(desk: Desk):
    desk.config = replace(desk.config, shifts=(ALL_DAY,))
    await new_ticket(desk, 1)
    # The announcement is the head of the lane in which the first ping stands.
    assert [row.due_at - desk.clock.now for row in await desk.rows("ping")] == [dt.timedelta()]
    async with desk.units() as unit:
        for row in await unit.outbox.in_state(OutboxState.PENDING):
            row.state, row.done_at = OutboxState.SENT, desk.clock.now
    for number in (2, 3):
        desk.clock.pass_by(seconds=50)
        await new_ticket(desk, number)
        assert await due_pings(desk) == []
    desk.clock.pass_by(seconds=20)
    assert await due_pings(desk) == ["tickets 2 and 3 are new, you are on duty."]
    desk.clock.pass_by(seconds=121)
    await new_ticket(desk, 4)
    [ping] = [say_from_json(row.payload or "") for row in await desk.rows("ping")]
    assert (ping.text, ping.mentions) == ("ticket 4 is new, you are on duty.", (ANA,))


async def test_many_new_tickets_are_counted_and_what_may_be_on_its_way_does_not_grow(desk: Desk):
    for number in range(1, 10):
        await new_ticket(desk, number)
    first, second = [say_from_json(row.payload or "") for row in await desk.rows("ping")]
    assert (first.text, first.thread) == ("Ticket 1 is new, and nobody is on duty.", "ticket")
    assert (second.text, second.thread) == (
        "Tickets 2, 3, 4, 5, 6 and 3 more are new, and nobody is on duty.",
        None,
    )
    desk.clock.pass_by(seconds=117)
    await new_ticket(desk, 10)
    assert [say_from_json(row.payload or "").tickets for row in await desk.rows("ping")][1:] == [
        tuple(range(2, 10)),
        (10,),
    ]


async def test_of_tickets_that_come_at_once_none_is_left_out(desk: Desk):
    await asyncio.gather(*(new_ticket(desk, number) for number in range(1, 7)))
    told = [say_from_json(row.payload or "").tickets for row in await desk.rows("ping")]
    assert len(told) == 2
    assert sorted(sum(told, ())) == [1, 2, 3, 4, 5, 6]


async def test_a_ping_that_was_tried_may_have_arrived_and_does_not_grow(desk: Desk):
    await new_ticket(desk, 1)
    async with desk.units() as unit:
        [ping] = [row for row in await unit.outbox.in_state(OutboxState.PENDING) if row.kind == "ping"]
        ping.tries, ping.due_at = 1, desk.clock.now + dt.timedelta(seconds=30)
    await new_ticket(desk, 2)
    told = [say_from_json(row.payload or "").tickets for row in await desk.rows("ping")]
    assert told == [(1,), (2,)]


async def test_a_clock_set_back_keeps_no_ping_for_long(desk: Desk):
    await new_ticket(desk, 1)
    await new_ticket(desk, 2)
    desk.clock.pass_by(days=-3)
    async with desk.units() as unit:
        assert "ping" in [row.kind for row in await unit.outbox.heads(desk.clock.now, PATIENCE)]


async def test_the_owner_is_responsible_else_who_is_on_duty_else_the_fallback(desk: Desk):
    number = await desk.ticket(queue="fr")
    ticket = await desk.look(number)
    now = desk.clock.now
    assert responsible(desk.config, ticket, now) == (BEN,)
    config = replace(desk.config, shifts=(ALL_DAY,))
    assert responsible(config, ticket, now) == (ANA,)
    ticket.owner = CREW[0]
    assert responsible(config, ticket, now) == (CREW[0],)
    ticket.owner = EVE  # no agent any more
    assert responsible(config, ticket, now) == (ANA,)


async def test_a_user_who_writes_again_calls_and_an_assignee_is_mentioned(desk: Desk):
    await take_in(desk, PLAIN)
    await take_in(desk, wrote(), token=await token_of(desk))
    assert await calls(desk) == ["The user wrote again. Not encrypted. Read it with `!show`."]
    await desk.say("!assign ben", ticket=1)
    [said] = [say for row in await desk.rows("say") if (say := say_from_json(row.payload or "")).mentions]
    assert said == Say(f"{ANA} has given ticket 1 to {BEN}.", thread="ticket", mentions=(BEN,))
    await desk.say("!assign ana", ticket=1)
    await desk.say("!assign ana", ticket=1)
    mentions = [say_from_json(row.payload or "").mentions for row in await desk.rows("say")]
    assert mentions == [(), (BEN,), (BEN,)]


@pytest.mark.parametrize("end", [refused, unclear])
async def test_an_answer_that_fails_or_is_unclear_calls(desk: Desk, end):
    await desk.ticket()
    await desk.say("!reply Hello", ticket=1)
    await desk.say("!send", ticket=1)
    async with desk.units() as unit:
        [mail] = [row for row in await unit.outbox.in_state(OutboxState.PENDING) if row.kind == "mail"]
        mail.error = "550 no such user"
        await end(desk.work(unit), mail)
    [words] = await calls(desk)
    assert "550 no such user" in words


async def test_an_answer_that_is_refused_at_the_end_of_its_hold_calls(desk: Desk):
    await desk.ticket(confidential=True)
    await desk.user_has_key(expires_at=desk.clock.now + dt.timedelta(seconds=30))
    await desk.say("!reply Hello", ticket=1)
    draft = (await desk.messages(1))[-1].id
    async with desk.units() as unit:
        begin_hold(desk.work(unit), await unit.messages.get(draft))
    desk.clock.pass_by(seconds=61)
    async with desk.units() as unit:
        await drafts.end_hold(desk.work(unit), draft)
    [words] = await calls(desk)
    assert "expired" in words
