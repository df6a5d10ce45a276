# SPDX-License-Identifier: AGPL-3.0-or-later
"""Claiming: of many at once one wins."""

import asyncio

import pytest

from commands import react
from commands.context import Context
from desk.world import Refusal
from tests.worlds.desk import ANA, BEN, CREW, EVE, Desk


@pytest.mark.parametrize(("line", "ticket"), [("!claim", 1), ("!claim 1", None)])
async def test_of_twelve_agents_at_once_one_wins_and_the_others_read_who(
    desk: Desk, line: str, ticket: int | None
):
    number = await desk.ticket()
    answers = await asyncio.gather(*(desk.say(line, by=agent, ticket=ticket) for agent in CREW))
    owner = (await desk.look(number)).owner
    assert owner in CREW
    assert answers[CREW.index(owner)] == f"Ticket {number} is yours."
    others = [answer for answer in answers if answer != f"Ticket {number} is yours."]
    assert others == [f"Ticket {number} is claimed by {owner}."] * 11
    assert len(await desk.rows("announce.edit")) == 1


async def test_a_claimed_ticket_can_be_released_and_claimed_by_another(desk: Desk):
    number = await desk.ticket()
    await desk.say("!claim", ticket=number)
    assert await desk.say("!release", by=BEN, ticket=number) == (
        f"Ticket {number} is claimed by {ANA}, not by you. `!assign` hands it to somebody."
    )
    assert await desk.say("!release", ticket=number) == f"Ticket {number} is free again."
    assert await desk.say("!claim", by=BEN, ticket=number) == f"Ticket {number} is yours."
    assert (await desk.look(number)).owner == BEN


async def test_only_agents_are_assigned_tickets(desk: Desk):
    number = await desk.ticket()
    assert await desk.say(f"!assign {EVE}", ticket=number) == f"{EVE} is not an agent of this desk."
    assert await desk.say(f"!assign #{number} {BEN}") == f"Ticket {number} is {BEN}'s."
    assert (await desk.look(number)).owner == BEN


async def _eyes(desk: Desk, agent: str, number: int) -> str:
    async with desk.units() as unit:
        room = await unit.rooms.of_queue("en")
        context = Context(desk.pressed("👀", f"$root{number}", sender=agent), room, desk.work(unit))
        try:
            reply = await react(context)
        except Refusal as why:
            return str(why)
        return reply.text if reply else ""


async def test_eyes_on_an_announcement_claim_once(desk: Desk):
    number = await desk.ticket()
    answers = await asyncio.gather(*(_eyes(desk, agent, number) for agent in CREW))
    owner = (await desk.look(number)).owner
    assert answers[CREW.index(owner)] == ""
    assert sorted(answers) == ["", *[f"Ticket {number} is claimed by {owner}."] * 11]
