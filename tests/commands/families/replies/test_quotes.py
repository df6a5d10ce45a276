# SPDX-License-Identifier: AGPL-3.0-or-later
"""`!reply --quote`: what the user wrote, above the answer, and only where nobody else can be told it."""

import json
from typing import Any

import pytest

from desk.outbox.posts import say_from_json
from desk.replies.quotes import MOST_LINES
from desk.tickets.details import LetterDetails
from storage.models import KeyState
from storage.sealing.columns import to_json
from tests.worlds.desk import USER, Desk

WHOLE = {"encryption_state": "none", "from_contact": True}


async def _ticket(desk: Desk, text: str, details: dict[str, Any] | None = None, **facts: Any) -> None:
    await desk.ticket(text, **facts)
    async with desk.units() as unit:
        [message] = await unit.messages.of(await unit.tickets.get(1))
        message.details = to_json({**WHOLE, **(details or {})})


async def _answered(desk: Desk, words: str = "Yes.") -> str:
    refusal = await desk.say(f"!reply --quote {words}", ticket=1)
    return refusal or (await desk.messages(1))[-1].text


async def test_the_last_message_stands_above_the_answer(desk: Desk):
    await _ticket(desk, "Is it\n\n  the wifi?")
    assert await _answered(desk, "Yes,\nit is.") == "> Is it\n>\n>   the wifi?\n\nYes,\nit is."


async def test_a_template_answers_a_quote_and_another_stands_above_it(desk: Desk):
    await _ticket(desk, "Is it the wifi?")
    await desk.say("!template add wifi en It is.")
    await desk.say("!template add quote en On {date} you wrote:")
    await desk.say("!template add signature en {role}")
    assert await _answered(desk, "wifi") == (
        "On 2026-03-02 you wrote:\n> Is it the wifi?\n\nIt is.\n\n-- \nHelp desk"
    )


async def test_what_others_wrote_signatures_and_keys_are_left_out(desk: Desk):
    key = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDME\n-----END PGP PUBLIC KEY BLOCK-----"
    quoted = "On Monday, 2 March 2026, help@helproom.test wrote:\n> Is it the disk?"
    await _ticket(desk, f"No.\n\n{quoted}\n\n{key}\n\n-- \nKim, Elm Street 5")
    answer = await _answered(desk)
    assert answer.startswith("> No.\n")
    assert not any(words in answer for words in ("disk", "wrote", "mDME", "Elm Street"))


async def test_long_lines_are_wrapped_and_long_letters_are_cut(desk: Desk):
    await _ticket(desk, "word " * 40 + "\n" + "\n".join(f"line {number}" for number in range(200)))
    lines = (await _answered(desk)).splitlines()
    assert max(map(len, lines)) <= 76
    assert lines[MOST_LINES] == "> […]"
    assert lines[MOST_LINES + 1 :] == ["", "Yes."]


@pytest.mark.parametrize(
    ("details", "why"),
    [
        ({"encryption_state": "partial"}, "stood outside its encryption"),
        ({"encryption_state": "broken"}, "stood outside its encryption"),
        ({"encryption_state": None}, "stood outside its encryption"),
        ({"unprotected_text": "And what is this? >"}, "stood outside its encryption"),
        ({"replayed": True}, "this ciphertext came more than once"),
        ({"from_contact": False}, "did not come from the ticket's address"),
        ({"mismatch": ["From"]}, "is another outside than inside"),
        ({"mismatch": ["Date", "Reply-To"]}, "is another outside than inside"),
        ({"relayed": ["Relayed by a list."]}, "is the word of the list that relayed it"),
        ({"encryption_state": "ok"}, "shows that the ticket's address has written it"),
        ({"encryption_state": "ok", "writer": ""}, "shows that the ticket's address has written it"),
        (
            {"encryption_state": "ok", "writer": "kim@x.test"},
            "shows that the ticket's address has written it",
        ),
    ],
)
async def test_what_may_be_bait_is_not_quoted(desk: Desk, details: dict[str, Any], why: str):
    await _ticket(desk, "My secret.", details)
    await desk.user_has_key()
    assert why in await _answered(desk)
    assert not await desk.rows("preview")


async def test_without_words_of_the_users_own_there_is_nothing_to_quote(desk: Desk):
    await _ticket(desk, "> Is it the disk?")
    assert "holds no words of their own" in await _answered(desk)


@pytest.mark.parametrize("said", ["--plain --quote Yes.", "--quote --plain Yes.", "—quote —plain Yes."])
async def test_in_clear_on_demand_nothing_is_quoted(desk: Desk, said: str):
    await _ticket(desk, "My secret.", confidential=True)
    refused = await desk.say(f"!reply {said}", ticket=1, verified=True)
    assert (
        refused
        == "`--plain` and `--quote` cannot be combined: a plain answer must not repeat the user's words."
    )
    assert await desk.say("!reply --quote", ticket=1) == "Something is missing: your words, after --quote."


async def test_what_came_encrypted_is_quoted_to_a_key_alone(desk: Desk):
    await _ticket(desk, "My secret.", {"encryption_state": "ok", "writer": USER}, confidential=True)
    assert (await _answered(desk)).startswith("Not sent: this ticket is confidential")
    await desk.user_has_key()
    assert await _answered(desk) == "> My secret.\n\nYes."


async def test_a_quote_does_not_leave_in_clear_because_the_key_is_gone(desk: Desk):
    await _ticket(desk, "Hello.")
    await desk.user_has_key()
    assert await _answered(desk) == "> Hello.\n\nYes."
    async with desk.units() as unit:
        [key] = await unit.keys.of((await unit.tickets.get(1)).contact_tag)
        key.state = KeyState.REFUSED
    assert (await desk.say("!send", ticket=1)).startswith("Not sent: of the public keys")
    async with desk.units() as unit:
        [key] = await unit.keys.of((await unit.tickets.get(1)).contact_tag)
        await unit._session.delete(key)
    assert "the preview said that it leaves encrypted" in await desk.say("!send", ticket=1)
    assert json.loads((await desk.messages(1))[-1].details)["quote"] is True
    assert not await desk.rows("mail")


async def _turns_out(desk: Desk, **facts: Any) -> None:
    async with desk.units() as unit:
        LetterDetails.change((await unit.messages.of(await unit.tickets.get(1)))[0], **facts)


async def test_a_quote_that_turns_out_to_be_bait_does_not_leave(desk: Desk):
    await _ticket(desk, "Hello.")
    assert await _answered(desk) == "> Hello.\n\nYes."
    await _turns_out(desk, replayed=True)
    assert (await desk.say("!send", ticket=1)).startswith(
        "Not sent: it quotes what must not be quoted. This ciphertext came more than once."
    )
    assert not await desk.rows("mail")


@pytest.mark.parametrize(
    ("details", "told"),
    [
        ({}, True),
        ({"replayed": True}, False),
        ({"encryption_state": "ok", "inner_subject": True, "writer": USER}, True),
        ({"encryption_state": "ok", "inner_subject": True, "writer": USER, "mismatch": ["From"]}, False),
        ({"encryption_state": "ok", "inner_subject": True, "writer": ""}, False),
        ({"encryption_state": "ok", "inner_subject": False, "writer": ""}, True),
        ({"encryption_state": "ok"}, False),
    ],
)
async def test_the_subject_of_what_may_be_bait_is_not_told(
    desk: Desk, details: dict[str, Any], *, told: bool
):
    await _ticket(desk, "Hello.", details)
    await desk.user_has_key()
    await desk.say("!reply Yes.", ticket=1)
    subject = (await desk.messages(1))[-1].subject
    assert subject == ("Re: [#1] Wifi" if told else "[#1] Help desk")
    [preview] = await desk.rows("preview")
    assert ("Wifi" in say_from_json(preview.payload).text) is told


async def test_a_subject_that_turns_out_to_be_bait_does_not_leave(desk: Desk):
    await _ticket(desk, "Hello.")
    await desk.say("!reply Yes.", ticket=1)
    await _turns_out(desk, replayed=True)
    assert (await desk.say("!send", ticket=1)).startswith("Not sent: its subject is that of a letter")
    await desk.say("!cancel", ticket=1)
    await desk.say("!reply Yes.", ticket=1)
    assert await desk.say("!send", ticket=1) == ""
    assert len(await desk.rows("mail")) == 1
