# SPDX-License-Identifier: AGPL-3.0-or-later
"""What cannot be done is answered with a sentence, and nothing is changed."""

import pytest

from desk.world import Refusal
from storage.models import RoomPurpose, RoomState
from tests.worlds.desk import ANA, BEN, Desk

REPLY_USAGE = "\nUsage: !reply [#ticket] <text…>\nExample: !reply Hello,"
WHICH = "Which ticket? Say it in the ticket's thread, or give its number."
BEGIN = "Which ticket? In a room begin with its number and the sign #:"

IN_ROOM = [
    ("!clam", "There is no command `!clam`. Did you mean `!claim`? `!help` lists all."),
    ("!xyzzy", "There is no command `!xyzzy`. `!help` lists all."),
    ("!template", "`!template` wants another word: `!template add`, `!template edit`, `!template list`, "),
    ("!claim", f"{WHICH}\nUsage: !claim [#ticket]\nExample: !claim"),
    ("!claim one", f"{WHICH}\nUsage: !claim [#ticket]\nExample: !claim"),
    ("!claim 99", "There is no ticket 99."),
    ("!claim 999999999", "There is no ticket 999999999."),
    ("!claim 1 2", "I do not know what to do with “2”.\nUsage: !claim [#ticket]\nExample: !claim"),
    ("!claim -1", f"{WHICH}\nUsage: !claim [#ticket]\nExample: !claim"),
    ("!reply #1", f"Something is missing: <text…>.{REPLY_USAGE.replace('!reply H', '!reply #12 H')}"),
    ("!reply", f"{BEGIN} `!reply #12 …`.\nUsage: !reply [#ticket] <text…>\nExample: !reply #12 Hello,"),
    ("!reply 1 more thing to try", f"{BEGIN} `!reply #1 …`."),
    ("!note 1 laptop has it, too", f"{BEGIN} `!note #1 …`."),
    ("!key ask 1 question first", f"{BEGIN} `!key ask #1`."),
    ("!close", f"{BEGIN} `!close #12`."),
    ("!close 1", f"{BEGIN} `!close #1`."),
    ("!reply #99 Hello", "There is no ticket 99."),
    ("!list nowhere", "There is no queue “nowhere”"),
    ("!assign 1 nobody", "nobody is not an agent of this desk."),
    ("!link 1 many", "“many” is not a number from 1 to 999999999."),
    ("!lang 1 français", "“français” is not a language code such as “fr” or “pt-br”."),
    ("!show 1 most", "`!show` does not know “most”: say `!show` or `!show all`."),
    ("!show 1 it's", "`!show` does not know “it's”"),
    ("!tag 1 don't", "“don't” cannot be a tag"),
    ("!tag 1 <b>", "“<b>” cannot be a tag"),
    ("!release 1", "Nobody has claimed ticket 1."),
    ("!reopen 1", "Ticket 1 is open."),
    ("!send 1", "No answer is held in ticket 1."),
    ("!cancel 1", "No answer is held in ticket 1."),
    ("!unlink 1 5", "Ticket 1 is not linked to #5."),
    ("!room close", "Which ticket's room?"),
    ("!room close 1 2", "I do not know what to do with “2”."),
    ("!room close 99", "Ticket 99 has no disposable room."),
    ("!room open 1 100h", "A disposable room lives for some time, at most 72 h."),
    ("!room open 1 0h", "A disposable room lives for some time, at most 72 h."),
    ("!room open 1 somebody", "“somebody” is neither a time such as 12h nor a Matrix user id."),
    ("!template show wfi", "There is no template “wfi”. Did you mean “wifi”?"),
    ("!template show a.b", "There is no template “a.b”."),
    ("!template add a.b en Text", "“a.b” cannot name a template"),
    ("!template add wifi en Text", "“wifi” has a text in en: `!template edit wifi en …` changes it."),
    ("!template edit wifi de Text", "Template “wifi” has no text in de, only in en."),
    ("!unpark 7", "Row 7 is not parked."),
    ("!help nothing", "There is no command `!nothing`. `!help` lists all."),
]  # fmt: skip


@pytest.mark.parametrize(("said", "answered"), IN_ROOM)
async def test_what_cannot_be_done_in_the_room_is_refused_and_changes_nothing(
    desk: Desk, said: str, answered: str
):
    await desk.ticket()
    await desk.say("!template add wifi en Hello")
    with pytest.raises(Refusal) as refusal:
        await desk.said(said)
    assert str(refusal.value).startswith(answered)
    assert not await desk.rows()


IN_THREAD = [
    ("!claim 1", "I do not know what to do with “1”."),
    ("!claim #99", "There is no ticket 99."),
    ("!reply", f"Something is missing: <text…>.{REPLY_USAGE}"),
    ("!tag", "Something is missing: <words…>."),
    ("!note", "Something is missing: <text…>."),
    ("!link", "Something is missing: <issue>."),
    ("!assign", "Something is missing: <agent>."),
]


@pytest.mark.parametrize(("said", "answered"), IN_THREAD)
async def test_what_cannot_be_done_in_a_thread_is_refused(desk: Desk, said: str, answered: str):
    number = await desk.ticket()
    with pytest.raises(Refusal) as refusal:
        await desk.said(said, ticket=number)
    assert str(refusal.value).startswith(answered)
    assert not await desk.rows()


@pytest.mark.parametrize(
    ("said", "ticket", "example"),
    [
        ("!claim", None, "!claim #12"),
        ("! claim ", None, "!claim #12"),
        ("!send", None, "!send #12"),
        ("!detach", None, "!detach screenshot.png"),
        ("!claim now", 1, "!claim"),
    ],
)
async def test_an_example_is_not_the_line_just_refused(
    desk: Desk, said: str, ticket: int | None, example: str
):
    await desk.ticket()
    assert (await desk.say(said, ticket=ticket)).splitlines()[-1] == f"Example: {example}"


@pytest.mark.parametrize("said", ["claim 1", "", "!", "!\nclaim 1", "!!", "!1", "!?", "hello !claim 1"])
async def test_what_is_no_command_is_not_answered(desk: Desk, said: str):
    await desk.ticket()
    assert await desk.say(said) == ""
    assert (await desk.look(1)).owner is None


@pytest.mark.parametrize("said", ["!parked", "!unpark 1"])
async def test_only_admins_say_what_is_for_admins(desk: Desk, said: str):
    assert await desk.say(said, by=BEN) == f"`{said.partition(' ')[0]}` is for admins of this desk."
    assert "admins" not in await desk.say(said, by=ANA)


async def test_in_a_disposable_room_only_its_end_and_help_are_heard(desk: Desk):
    await desk.ticket()
    await desk.say("!room open 12h", ticket=1)
    async with desk.units() as unit:
        room = await unit.rooms.of_ticket(1)
        assert room.purpose is RoomPurpose.DISPOSABLE
        room.room_id = "!secret:helproom.test"
    for said in ("!show 1", "!list", "!reply 1 hello", "!templates"):
        assert await desk.say(said, where="secret") == (
            "In this room only `!room close` and `!help` work: guests read what is said here."
        )
    assert "!claim" in await desk.say("!help", where="secret")
    assert await desk.say("!room close", where="secret") == ""
    async with desk.units() as unit:
        closing = await unit.rooms.of_ticket(1)
        assert closing.state is RoomState.CLOSING
    assert await desk.say("!room close", where="secret") == "This room is being closed already."


async def test_apostrophes_and_quotes_in_text_are_kept(desk: Desk):
    await desk.ticket()
    text = "She'll write \"again\" when she's back; it's “fine”."
    assert await desk.say(f"!note {text}", ticket=1) == "Noted."
    assert (await desk.messages(1))[-1].text == text


async def test_in_a_thread_a_text_never_goes_to_another_ticket(desk: Desk):
    await desk.ticket()
    await desk.ticket()
    refused = await desk.say("!reply #2 is what you hit", ticket=1)
    assert refused.startswith("In this thread `!reply` is about ticket 1.")
    assert await desk.say("!note #1 is this one", ticket=1) == "Noted."


@pytest.mark.parametrize(
    ("said", "answered"),
    [
        ("!lang 1 fr-aaaaaaaa-bbbbbbbb", "is not a language code"),
        (f"!template add {'ß' * 40} en Hello", "cannot name a template"),
        (f"!template add {'x' * 41} en Hello", "cannot name a template"),
        ("!template show \x00", "Something is missing: <name>."),
        ("!link 1 0", "“0” is not a number"),
    ],
)
async def test_what_no_column_can_hold_is_refused_and_the_database_is_not_asked(
    desk: Desk, said: str, answered: str
):
    await desk.ticket()
    assert answered in await desk.say(said)
    assert await desk.say("!claim 1") == "Ticket 1 is yours."


async def test_characters_that_no_text_holds_are_left_out(desk: Desk):
    await desk.ticket()
    await desk.say("!note one\x00\r\ntwo\ud800\tthree", ticket=1)
    assert (await desk.messages(1))[-1].text == "one\ntwo\tthree"
    assert await desk.say("!template add bell en ring\x07\x00") == "Template “bell” has a text in en."
    assert (await desk.said("!template show bell en")).quote == "ring"
