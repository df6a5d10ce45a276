# SPDX-License-Identifier: AGPL-3.0-or-later
"""`!reply --plain`: an agent's own new words, asked for, told to everybody, and nothing else."""

import pytest

from desk.outbox.posts import say_from_json
from desk.replies.disclosure import names, repeats
from tests.worlds.desk import ANA, Desk


async def _in_clear(desk: Desk, words: str = "Please send your key along.", **how: object) -> str:
    return await desk.say(f"!reply --plain {words}", **{"ticket": 1, "verified": True, **how})


async def test_in_clear_only_new_words_leave_and_everybody_is_told(desk: Desk):
    await desk.ticket(confidential=True, subject="My disk at home", tails_version="6.10")
    assert await _in_clear(desk) == ""
    draft = (await desk.messages(1))[-1]
    assert (draft.text, draft.subject) == ("Please send your key along.", "[#1] Help desk")
    [preview] = await desk.rows("preview")
    assert "NOT encrypted, as an agent asked for (--plain)" in say_from_json(preview.payload).text
    in_thread, to_operators = (say_from_json(row.payload).text for row in await desk.rows("say"))
    assert in_thread.startswith(f"{ANA} asked to answer ticket 1 IN CLEAR")
    assert to_operators.startswith(f"{ANA} asked to answer ticket 1 IN CLEAR")
    assert await desk.say("!send", ticket=1) == ""
    assert len(await desk.rows("mail")) == 1


async def test_where_the_answer_is_in_clear_anyhow_nobody_is_alarmed(desk: Desk):
    await desk.ticket()
    assert await _in_clear(desk) == ""
    assert len(await desk.rows("preview")) == 1
    assert await desk.rows("say") == []


def test_words_that_anybody_writes_are_no_quote():
    assert not repeats("Mit freundlichen Grüßen, das Team", "Danke! Mit freundlichen Grüßen, Jo")
    assert repeats("Du schreibst: „ich wohne jetzt bei meiner Tante“", "Ich wohne jetzt bei meiner TANTE!")
    assert not names("Your wifi", "Wifi")


@pytest.mark.parametrize(
    ("words", "how", "why"),
    [
        ("Hello", {"verified": False}, "needs a device that you have verified"),
        ("", {}, "Something is missing"),
        ("wifi", {}, "no template"),
        ("> My WIFI is\n> gone, since I moved to", {}, "these repeat what the user wrote"),
        ("About: “The disk of  Jo”", {}, "these repeat what the user wrote"),
    ],
)
async def test_in_clear_nothing_else_leaves(desk: Desk, words: str, how: dict, why: str):
    await desk.ticket(confidential=True, subject="The disk of Jo")
    await desk.user_writes(1, "Hello! My wifi is gone, since I moved to the other config.")
    async with desk.units() as unit:
        for message in await unit.messages.of(await unit.tickets.get(1)):
            message.subject = "The disk of Jo"
    await desk.say("!show", ticket=1)
    await desk.say("!template add wifi en Ticket {ticket}")
    assert why in await _in_clear(desk, words, **how)
    assert not await desk.rows("preview", "mail", "say")


async def test_what_can_be_encrypted_does_not_leave_in_clear(desk: Desk):
    await desk.ticket(confidential=True)
    await desk.user_has_key()
    assert "there is a key of this user that can be used" in await _in_clear(desk)
    assert not await desk.rows("preview")


async def test_an_answer_in_clear_stays_when_a_key_comes_meanwhile(desk: Desk):
    await desk.ticket(confidential=True)
    await _in_clear(desk)
    await desk.user_has_key()
    assert "there is a key of this user that can be used" in await desk.say("!send", ticket=1)
    assert not await desk.rows("mail")


async def test_an_option_that_there_is_not_is_no_text(desk: Desk):
    await desk.ticket()
    assert await desk.say("!reply --clear Hello", ticket=1) == (
        "`!reply` has no --clear, only --quote and --plain. Begin with another word."
    )
    assert await desk.say("!reply -- \nHello", ticket=1) == ""
    assert (await desk.messages(1))[-1].text == "-- \nHello"
