# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is done with somebody else's ticket: they are told, and no answer leaves by itself."""

import pytest

from bot.carriers.senders import facts_of
from desk.outbox.posts import Say, say_from_json
from desk.replies import drafts, previews
from storage.models import OutboxState, ReplyState, TicketState
from tests.worlds.desk import ANA, BEN, Desk, delivered

FR = "https://matrix.to/#/!fr:helproom.test?via=helproom.test"
OWN_WORD = "Waits for your word: `!send` or ✅ sends it, ❌ or `!cancel` takes it back."


async def held(desk: Desk) -> ReplyState:
    """Show the preview, let the hold pass, and tell how the answer stands then."""
    async with desk.units() as unit:
        for row in await unit.outbox.in_state(OutboxState.PENDING):
            if row.kind in {"preview", "preview.edit"}:
                row.state, row.event_id = OutboxState.SENT, "$preview"
                await delivered(desk.work(unit), row)
    desk.clock.pass_by(seconds=61)
    await end_holds(desk)
    return (await desk.messages(1))[-1].state


async def end_holds(desk: Desk) -> None:
    async with desk.units() as unit:
        await drafts.mend_holds(desk.work(unit))
        due = await unit.messages.due_replies(desk.clock.now)
    for number in due:
        async with desk.units() as unit:
            await drafts.end_hold(desk.work(unit), number)


async def said(desk: Desk) -> list[Say]:
    return [say_from_json(row.payload or "") for row in await desk.rows("say")]


async def test_an_answer_in_anothers_ticket_waits_for_a_word_and_its_owner_is_told(desk: Desk):
    await desk.ticket()
    await desk.say("!claim", ticket=1, by=BEN)
    await desk.say("!reply Hello", ticket=1)
    [preview] = [say_from_json(row.payload or "") for row in await desk.rows("preview")]
    assert preview.text.startswith(f"{OWN_WORD}\n")
    assert f"\nThis ticket is {BEN}'s: the hold alone does not send it." in preview.text
    assert await said(desk) == [
        Say(
            f"{ANA} prepares an answer in your ticket 1; see the preview above.",
            thread="$root1",
            mentions=(BEN,),
        )
    ]
    assert await held(desk) is ReplyState.HELD
    await desk.say("!send", ticket=1)
    assert (await desk.messages(1))[-1].state is ReplyState.LEAVING


async def test_files_begin_no_hold_of_an_answer_that_waits_for_a_word(desk: Desk):
    await desk.ticket()
    await desk.say("!claim", ticket=1, by=BEN)
    await desk.say("!reply Hello", ticket=1)
    assert await held(desk) is ReplyState.HELD
    async with desk.units() as unit:
        draft = (await unit.messages.of(await unit.tickets.get(1)))[-1]
        await previews.show_state(desk.work(unit), draft)
    assert await held(desk) is ReplyState.HELD
    assert (await desk.messages(1))[-1].hold_until is None


async def test_in_ones_own_or_nobodys_ticket_the_hold_sends(desk: Desk):
    await desk.ticket()
    await desk.say("!claim", ticket=1)
    await desk.say("!reply Hello", ticket=1)
    assert await said(desk) == []
    assert await held(desk) is ReplyState.LEAVING


async def test_an_answer_stays_when_the_ticket_became_anothers_meanwhile(desk: Desk):
    await desk.ticket()
    await desk.say("!reply Hello", ticket=1)
    await desk.say("!claim", ticket=1, by=BEN)
    assert await held(desk) is ReplyState.STALE
    [call] = await said(desk)
    assert call.calls
    assert call.text == (
        f"Not sent: the ticket is {BEN}'s by now. `!send` sends the answer of {ANA} all the same, "
        "`!cancel` takes it back."
    )
    await desk.say("!send", ticket=1)
    assert (await desk.messages(1))[-1].state is ReplyState.LEAVING


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("!close", f"{ANA} has closed your ticket 1."),
        ("!close solved by the update", f"{ANA} has closed your ticket 1: solved by the update"),
        ("!lang de", f"{ANA} has set the language of your ticket 1 to “de”."),
        (
            "!lang fr",
            f"{ANA} has set the language of your ticket 1 to “fr”. It goes on in the room of “fr”: {FR}",
        ),
        ("!assign agent1", f"{ANA} has given ticket 1 to @agent1:helproom.test."),
    ],
)
async def test_the_owner_hears_of_what_others_do_with_the_ticket(desk: Desk, line: str, words: str):
    await desk.ticket()
    await desk.say("!claim", ticket=1, by=BEN)
    await desk.say(line, ticket=1)
    [told] = await said(desk)
    assert told.text == words
    assert BEN in told.mentions
    assert told.thread == "$root1"


@pytest.mark.parametrize("line", ["!close", "!lang de", "!assign ben"])
async def test_what_an_owner_does_alone_mentions_nobody(desk: Desk, line: str):
    await desk.ticket()
    await desk.say("!claim", ticket=1, by=BEN)
    await desk.say(line, ticket=1, by=BEN)
    assert await said(desk) == []


async def test_the_thread_hears_why_a_ticket_was_closed_and_its_row_by_whom(desk: Desk):
    await desk.ticket()
    await desk.say("!close #1 solved by the update")
    assert await said(desk) == [Say(f"{ANA} has closed ticket 1: solved by the update", thread="$root1")]
    assert (await desk.look(1)).closed_by == ANA
    await desk.say("!reopen", ticket=1)
    assert (await desk.look(1)).closed_by is None


async def test_the_announcement_names_who_closed_it(desk: Desk):
    await desk.ticket()
    await desk.say("!close", ticket=1, by=BEN)
    async with desk.units() as unit:
        facts = facts_of(await unit.tickets.get(1), sent=False)
    assert (facts.state, facts.closed_by) == (TicketState.CLOSED, BEN)
