# SPDX-License-Identifier: AGPL-3.0-or-later
"""What seldom happens: buttons on strange events, parked rows, rooms that end, things that are gone."""

import datetime as dt
from collections.abc import AsyncIterator

import pytest

from commands import react
from commands.context import Context
from desk.outbox import posts
from desk.outbox.posts import ANNOUNCE, File, Say, put, reaction_of, say_from_json
from desk.replies import drafts
from desk.rooms import disposable
from desk.world import Refusal
from storage.models import Outbox, OutboxState, ReplyState, RoomState
from tests.worlds.desk import ANA, BEN, Desk, delivered, desk_at, refused, unclear


@pytest.fixture(name="desk")
async def make_desk(shaped: str) -> AsyncIterator[Desk]:
    """A desk with a ticket."""
    async with desk_at(shaped) as desk:
        await desk.ticket()
        yield desk


async def _press(desk: Desk, key: str, event_id: str) -> str:
    async with desk.units() as unit:
        room = await unit.rooms.of_queue("en")
        reply = await react(Context(desk.pressed(key, event_id), room, desk.work(unit)))
        return reply.text if reply else ""


@pytest.mark.parametrize("key", ["👀", "✅", "❌", "🎉"])
async def test_a_button_on_an_event_of_nobody_s_ticket_does_nothing(desk: Desk, key: str):
    await desk.say("!reply Hello", ticket=1)
    before = len(await desk.rows())
    assert await _press(desk, key, "$talk") == ""
    assert (await desk.look(1)).owner is None
    assert len(await desk.rows()) == before


async def test_send_and_cancel_on_the_announcement_do_nothing(desk: Desk):
    async with desk.units() as unit:
        room = await unit.rooms.of_queue("en")
        row = await put(desk.work(unit), ANNOUNCE, "room:1", room=room.id, ticket=1)
        row.event_id = "$root1"
    for key in ("✅", "❌"):
        assert await _press(desk, key, "$root1") == ""


async def _park(desk: Desk, *kinds: str) -> list[int]:
    async with desk.units() as unit:
        rows = [row for row in await unit.outbox.in_state(OutboxState.PENDING) if row.kind in kinds]
        for row in rows:
            row.state, row.error = OutboxState.PARKED, "no such place"
        return [row.id for row in rows]


async def _row(desk: Desk, number: int) -> Outbox:
    async with desk.units() as unit:
        return await unit.outbox.get(number)


async def test_a_parked_row_is_listed_and_tried_again(desk: Desk):
    assert await desk.say("!parked") == "Nothing is parked."
    await desk.say("!claim", ticket=1)
    [number] = await _park(desk, "announce.edit")
    assert await desk.say("!parked") == f"{number}: announce.edit for ticket 1: no such place"
    desk.clock.pass_by(hours=1)
    assert await desk.say(f"!unpark {number}") == f"Row {number} is tried again."
    row = await _row(desk, number)
    assert (row.state, row.due_at) == (OutboxState.PENDING, desk.clock.now)
    assert await desk.say(f"!unpark {number}") == f"Row {number} is not parked."
    assert (await desk.say("!unpark it")).startswith("“it” is neither a number nor `all`.")


async def test_a_parked_mail_that_is_tried_again_is_on_its_way(desk: Desk):
    await desk.say("!reply Hello", ticket=1)
    await desk.say("!send", ticket=1)
    [number] = await _park(desk, "mail")
    async with desk.units() as unit:
        (await unit.messages.get((await unit.outbox.get(number)).message_id)).state = ReplyState.FAILED
    await desk.say(f"!unpark {number}")
    assert (await desk.messages(1))[-1].state is ReplyState.LEAVING


@pytest.mark.parametrize(("line", "ticket"), [("!room close #1", None), ("!room close", 1)])
async def test_a_room_is_closed_from_outside_once(desk: Desk, line: str, ticket: int | None):
    await desk.say("!room open 2h", ticket=1)
    assert (await desk.say("!room open", ticket=1)).startswith("Ticket 1 has a disposable room.")
    assert (await desk.say(line, ticket=ticket)).startswith("The room is being closed")
    assert await desk.say(line, ticket=ticket) == "This room is being closed already."
    assert len(await desk.rows("room.close")) == 1


async def test_a_room_ends_when_its_time_has_come(desk: Desk):
    await desk.say("!room open 2h", ticket=1)
    async with desk.units() as unit:
        (await unit.rooms.of_ticket(1)).state = RoomState.OPEN
    for hours, state in ((1.9, RoomState.OPEN), (0.1, RoomState.CLOSING)):
        desk.clock.pass_by(hours=hours)
        async with desk.units() as unit:
            await disposable.end_rooms(desk.work(unit))
        async with desk.units() as unit:
            assert (await unit.rooms.of_ticket(1)).state is state


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (dt.timedelta(minutes=-5), "0 min"),
        (dt.timedelta(minutes=59), "59 min"),
        (dt.timedelta(hours=47), "47 h"),
        (dt.timedelta(days=2), "2 d"),
    ],
)
async def test_a_list_tells_ages_in_the_largest_unit_that_says_enough(
    desk: Desk, age: dt.timedelta, words: str
):
    desk.clock.now += age
    assert (await desk.say("!list")).endswith(f" · {words}")


async def test_a_list_says_whose_a_ticket_is(desk: Desk):
    await desk.say("!claim", ticket=1)
    assert f"claimed by {ANA}" in await desk.say("!list")
    async with desk.units() as unit:
        (await unit.tickets.get(1)).answered_at = desk.clock.now
    assert f"waiting, with {ANA}" in await desk.say("!list")
    assert await desk.say("!list", where="fr") == "Nothing is open."


async def test_a_file_follows_the_words_it_goes_with(desk: Desk):
    async with desk.units() as unit:
        room = await unit.rooms.of_queue("en")
        await posts.say_in(desk.work(unit), room, Say("Here.", file=File("all.txt", "words")))
    words, file = await desk.rows("say", "file")
    assert (words.kind, say_from_json(words.payload).file) == ("say", None)
    assert say_from_json(file.payload).file == File("all.txt", "words")


async def test_a_queue_without_a_room_is_our_own_fault(desk: Desk):
    await desk.ticket(queue="gone")
    with pytest.raises(LookupError, match="queue gone has no room row"):
        await desk.say("!claim", ticket=2)
    assert (await desk.look(2)).owner is None


async def test_without_an_operators_room_nobody_is_told(desk: Desk):
    async with desk.units() as unit:
        await unit._session.delete(await unit.rooms.of_operators())
    async with desk.units() as unit:
        await posts.tell_operators(desk.work(unit), "Trouble.")
    assert not await desk.rows()


async def test_an_answer_whose_draft_is_gone_is_let_go(desk: Desk):
    async with desk.units() as unit:
        await drafts.end_hold(desk.work(unit), 99)
        for kind in ("announce", "preview", "mail", "say"):
            row = Outbox(kind=kind, ticket_id=99, message_id=99, room=99, event_id="$event", error="gone")
            await delivered(desk.work(unit), row)
            await unclear(desk.work(unit), row)
            assert not await refused(desk.work(unit), row)
    assert not await desk.rows()


async def test_an_announcement_that_has_left_roots_the_thread(desk: Desk):
    async with desk.units() as unit:
        await posts.announce(desk.work(unit), await unit.tickets.get(1))
    async with desk.units() as unit:
        [row] = await unit.outbox.announcements(1)
        row.event_id = "$new"
        await delivered(desk.work(unit), row)
    assert (await desk.look(1)).event_id == "$new"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (ReplyState.LEAVING, "on its way"),
        (ReplyState.SENT, "sent"),
        (ReplyState.UNCLEAR, "perhaps sent: the mail server did not say"),
    ],
)
async def test_an_answer_that_is_not_held_is_neither_sent_nor_taken_back(
    desk: Desk, state: ReplyState, words: str
):
    await desk.say("!reply Hello", ticket=1)
    async with desk.units() as unit:
        [row] = [row for row in await unit.outbox.in_state(OutboxState.PENDING) if row.kind == "preview"]
        row.event_id = "$preview"
        (await unit.messages.get(row.message_id)).state = state
    before = len(await desk.rows())
    for key, refusal in (("✅", "This answer is "), ("❌", "Too late to take back: this answer is ")):
        with pytest.raises(Refusal) as why:
            await _press(desk, key, "$preview")
        assert str(why.value) == f"{refusal}{words}."
    assert len(await desk.rows()) == before


@pytest.mark.parametrize(
    ("subject", "answered"),
    [
        ("Wifi", "Re: [#2] Wifi"),
        (" RE: re:Wifi", "Re: [#2] Wifi"),
        ("", "Re: [#2] your message"),
        ("a\u2028b", "Re: [#2] a b"),
        ("Re: [#2] Re: Wifi", "Re: [#2] Wifi"),
        ("[#2] [#9] Wifi [#1]", "Re: [#2] Wifi"),
        ("[#2]", "Re: [#2] your message"),
    ],
)
async def test_the_subject_of_an_answer_is_one_line_with_one_re_and_one_number(
    desk: Desk, subject: str, answered: str
):
    await desk.ticket(subject=subject)
    await desk.say("!reply Hello", ticket=2, by=BEN)
    [preview] = await desk.rows("preview")
    assert f"\nSubject: {answered}" in say_from_json(preview.payload).text


async def test_all_that_was_for_rooms_is_tried_again_and_mails_stay(desk: Desk):
    assert await desk.say("!unpark all") == "Nothing is parked that was to go to a room."
    await desk.say("!claim", ticket=1)
    await desk.say("!reply Hello", ticket=1)
    await desk.say("!send", ticket=1)
    await _park(desk, "mail")
    rooms = await _park(desk, "announce.edit", "preview")
    assert await desk.say("!unpark all") == f"{len(rooms)} rows are tried again."
    assert {(await _row(desk, number)).state for number in rooms} == {OutboxState.PENDING}
    assert (await desk.say("!parked")).count("mail for ticket 1") == 1
    await _park(desk, "preview")
    assert await desk.say("!unpark ALL") == "One row is tried again."


async def test_an_answer_that_the_user_overtook_leaves_the_last_word_with_the_user(desk: Desk):
    await desk.say("!reply Hello", ticket=1)
    await desk.say("!send", ticket=1)
    await desk.user_writes(1, "Wait.")
    [mail] = await desk.rows("mail")
    async with desk.units() as unit:
        await delivered(desk.work(unit), await unit.outbox.get(mail.id))
    ticket = await desk.look(1)
    assert ticket.answered_at == desk.clock.now
    assert (await desk.say("!left")).splitlines()[1].startswith("#1 ")


async def test_a_whole_template_is_removed_with_its_name(desk: Desk):
    await desk.say("!template add wifi en One")
    await desk.say("!template add wifi fr Un")
    assert await desk.say("!template remove wifi") == "Template “wifi” is removed."
    assert (await desk.say("!template list")).startswith("There is no template yet.")


async def test_what_is_no_user_id_invites_nobody(desk: Desk):
    refused = await desk.say("!room open 2h @nobody", ticket=1)
    assert refused.startswith("“@nobody” is not a Matrix user id such as “@ana:example.org”.")
    assert not await desk.rows("room.open")


async def test_the_button_of_a_preview_is_put_under_its_event(desk: Desk):
    await desk.say("!reply Hello", ticket=1)
    [preview] = await desk.rows("preview")
    async with desk.units() as unit:
        row = await unit.outbox.get(preview.id)
        row.event_id = "$preview"
        await delivered(desk.work(unit), row)
    pressed = [reaction_of(row.payload) for row in await desk.rows("react")]
    assert pressed == [("$preview", "❌")]


async def test_a_ticket_is_claimed_once_by_the_same_agent(desk: Desk):
    assert await desk.say("!claim", ticket=1) == "Ticket 1 is yours."
    assert await desk.say("!claim", ticket=1) == "Ticket 1 is yours already."
    assert len(await desk.rows("announce.edit")) == 1
