# SPDX-License-Identifier: AGPL-3.0-or-later
"""Listing, reading, tagging, moving, linking and closing."""

import dataclasses

import pytest

from desk.outbox.posts import say_from_json
from storage.models import Message, MessageKind, Side
from tests.worlds.desk import BEN, USER, Desk


async def test_the_list_is_of_the_room_or_of_all_and_without_personal_words(desk: Desk):
    await desk.ticket()
    await desk.ticket(queue="fr", language="fr")
    await desk.ticket()
    await desk.say("!close #3")
    assert (await desk.look(3)).closed_at is not None
    here, everywhere = await desk.say("!list"), await desk.say("!list all")
    assert "1" in here
    assert len(everywhere.splitlines()) == len(here.splitlines()) + 1
    assert await desk.say("!list", where="fr") == await desk.say("!list fr")
    assert USER not in everywhere
    assert "Wifi" not in everywhere


async def test_left_are_those_in_which_the_user_had_the_last_word_longest_waiting_first(desk: Desk):
    for _ in range(3):
        await desk.ticket()
        desk.clock.pass_by(hours=1)
    async with desk.units() as unit:
        (await unit.tickets.get(2)).last_public = Side.DESK
        (await unit.tickets.get(1)).last_public_at = desk.clock.now
    lines = (await desk.say("!left")).splitlines()[1:]
    assert [line.split()[0].strip("#:") for line in lines] == ["3", "1"]


async def test_the_text_is_shown_escaped_from_ours_and_counts_as_read(desk: Desk):
    number = await desk.ticket("<b>@room</b> !close 1")
    shown = await desk.said("!show", ticket=number)
    assert shown.quote == "<b>@room</b> !close 1"
    assert f"From: {USER}" in shown.text
    assert "@room" not in shown.text
    assert (await desk.look(number)).read_up_to == (await desk.messages(number))[0].id


async def test_long_text_is_shown_as_a_head_and_a_file(desk: Desk):
    text = "\n".join(f"line {number}" for number in range(1000))
    await desk.ticket(text)
    shown = await desk.said("!show", ticket=1)
    assert shown.file.text == text
    assert text.startswith(shown.quote)
    assert len(shown.quote.splitlines()) == 40


async def test_quotes_and_signatures_are_folded_and_can_be_had(desk: Desk):
    text = "It works.\n-- \nAna\n\nOn 3.11.2026 10:00, Help <a@b> wrote:\n> Hello\n> you\n"
    number = await desk.ticket(text)
    shown = await desk.said("!show", ticket=number)
    assert shown.quote == "It works.\n[2 lines of signature]\n\n[3 quoted lines]"
    assert "`!show all`" in shown.text
    whole = await desk.said("!show all", ticket=number)
    assert [line.strip() for line in text.split("\n") if line.strip()] == [
        line.strip() for line in whole.quote.split("\n") if line.strip() and "===" not in line
    ]
    assert "folded" not in whole.text


async def test_all_that_was_said_is_shown_with_notes(desk: Desk):
    await desk.ticket("First.")
    await desk.say("!note She's kind.", ticket=1, by=BEN)
    await desk.user_writes(1, "Second.")
    quote = (await desk.said("!show all", ticket=1)).quote
    assert [line for line in quote.splitlines() if line and "===" not in line] == [
        "Protection: ",
        "  First.",
        "  She's kind.",
        "Protection: ",
        "  Second.",
    ]
    assert f"Note by {BEN}" in quote


async def test_a_ticket_without_any_letter_is_shown_with_a_sentence(desk: Desk):
    await desk.ticket()
    async with desk.units() as unit:
        await unit._session.delete(await unit._session.get(Message, 1))
    assert "nothing" in (await desk.say("!show", ticket=1)).casefold()


async def test_tags_are_put_on_and_taken_off_whatever_their_case(desk: Desk):
    await desk.ticket()
    assert await desk.say("!tag Wifi #broadcom wifi", ticket=1) == "Tagged: wifi, broadcom."
    assert await desk.say("!tag wifi", ticket=1) == "These tags were there already."
    assert [tag.name for tag in (await desk.look(1)).tags] == ["broadcom", "wifi"]
    assert await desk.say("!untag WIFI none", ticket=1) == "Taken off: wifi."
    assert await desk.say("!untag wifi", ticket=1) == "There are no such tags on it."


async def test_a_refused_tag_leaves_the_others_off_too(desk: Desk):
    await desk.ticket()
    assert "cannot be a tag" in await desk.say("!tag wifi <b>", ticket=1)
    assert (await desk.look(1)).tags == []


async def test_a_tag_taken_off_can_be_put_on_again_in_the_same_message_order(desk: Desk):
    await desk.ticket()
    for line in ("!tag wifi", "!untag wifi", "!tag wifi"):
        await desk.say(line, ticket=1)
    assert [tag.name for tag in (await desk.look(1)).tags] == ["wifi"]


async def test_close_and_reopen(desk: Desk):
    await desk.ticket()
    assert await desk.say("!close solved, it's the update", ticket=1) == "Ticket 1 is closed."
    assert (await desk.look(1)).close_reason == "solved, it's the update"
    assert await desk.say("!close", ticket=1) == "Ticket 1 is closed already."
    for line in ("!claim", f"!assign {BEN}", "!reply Hello"):
        assert await desk.say(line, ticket=1) == "Ticket 1 is closed. `!reopen` it first."
    assert await desk.say("!reopen", ticket=1) == "Ticket 1 is open again."
    assert (await desk.look(1)).close_reason is None


async def test_another_language_moves_a_ticket_to_that_room_with_a_pointer(desk: Desk):
    await desk.ticket()
    answer = await desk.say("!lang FR", ticket=1)
    assert answer.startswith("Ticket 1 is in “fr” and goes on in the room of “fr”. https://matrix.to/#/!")
    ticket = await desk.look(1)
    assert (ticket.queue, ticket.mailbox, ticket.language, ticket.event_id) == ("fr", "en", "fr", None)
    [pointer] = await desk.rows("say")
    assert say_from_json(pointer.payload).thread == "$root1"
    [announcement] = await desk.rows("announce")
    assert announcement.room != pointer.room
    assert await desk.say("!lang de #1", ticket=1) != ""
    assert await desk.say("!lang de", ticket=1) == (
        "Ticket 1 is in “de”. There is no room for that language, so it stays here."
    )


async def test_links_are_made_once_and_the_issue_is_read_outside(desk: Desk):
    await desk.ticket()
    await desk.ticket()
    assert await desk.say("!link #99 #9080", ticket=1) == "There is no ticket 99."
    assert await desk.say("!link #9080", ticket=1) == "Linked to #9080; it is being read."
    assert await desk.say("!link 9080", ticket=1) == "Ticket 1 is linked to #9080 already."
    assert await desk.say("!link #2 #9080", ticket=1) == (
        "Linked to #9080; it is being read. 1 other tickets are linked to it."
    )
    assert [row.payload for row in await desk.rows("problem.read")] == ['{"issue":9080}'] * 2
    assert await desk.say("!unlink 9080", ticket=1) == "No longer linked to #9080."
    assert (await desk.look(1)).links == []


@pytest.mark.parametrize("line", ["!note Hello", "!tag a", "!show"])
async def test_a_note_a_tag_or_reading_is_never_a_word_to_the_user(desk: Desk, line: str):
    await desk.ticket()
    await desk.say(line, ticket=1)
    assert not await desk.rows("mail", "preview")
    assert all(each.kind is not MessageKind.OUT for each in await desk.messages(1))


@pytest.mark.parametrize(
    "word",
    [
        "https://redmine.example.org/bugs/issues/9080",
        "<https://redmine.example.org/bugs/issues/9080>",
        "HTTPS://Redmine.Example.org/bugs/issues/9080/",
        "http://redmine.example.org/bugs/issues/9080.json",
        "https://redmine.example.org/bugs/issues/9080/edit?tab=history#note-3",
    ],
)
async def test_an_issue_is_linked_by_the_address_of_its_page(desk: Desk, word: str):
    desk.config = dataclasses.replace(desk.config, tracker_url="https://redmine.example.org/bugs")
    await desk.ticket()
    assert await desk.say(f"!link {word}", ticket=1) == "Linked to #9080; it is being read."
    assert await desk.say(f"!unlink #1 {word}", ticket=1) == "No longer linked to #9080."


@pytest.mark.parametrize(
    "word",
    [
        "https://redmine.example.org/issues/9080",
        "https://evil.example/bugs/issues/9080",
        "https://redmine.example.org/bugs/issues/",
        "https://redmine.example.org/bugs/issues/9080x",
        "https://redmine.example.org/bugs/projects/9080",
        "https://[redmine.example.org/bugs/issues/9080",
    ],
)
async def test_an_address_that_is_no_issue_of_the_tracker_is_refused(desk: Desk, word: str):
    desk.config = dataclasses.replace(desk.config, tracker_url="https://redmine.example.org/bugs")
    await desk.ticket()
    said = await desk.say(f"!link {word}", ticket=1)
    assert "is not the address of an issue at https://redmine.example.org/bugs." in said
    assert (await desk.look(1)).links == []


async def test_without_a_tracker_an_address_is_refused(desk: Desk):
    desk.config = dataclasses.replace(desk.config, tracker_url="")
    await desk.ticket()
    said = await desk.say("!link https://redmine.example.org/issues/9080", ticket=1)
    assert said == "The config names no tracker, so give the number of the issue, such as #9080."
