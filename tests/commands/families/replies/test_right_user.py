# SPDX-License-Identifier: AGPL-3.0-or-later
"""An answer goes to the user whom its agent means, and what is said is answered where it was said."""

import pytest

from storage.models import ReplyState
from tests.worlds.desk import Desk

LINK = "https://matrix.to/#/!en:helproom.test/$root1?via=helproom.test"
THINGS = "things you can try: one, two"


@pytest.mark.parametrize("command", ["!reply", "!note", "!close", "!key ask"])
async def test_a_text_that_begins_with_a_number_goes_to_no_ticket(desk: Desk, command: str):
    await desk.ticket()
    await desk.ticket()
    refused = await desk.say(f"{command} 2 {THINGS}")
    assert f"begin with its number and the sign #: `{command} #2" in refused
    assert not await desk.rows()
    assert len(await desk.messages(2)) == 1
    assert (await desk.look(2)).closed_at is None


@pytest.mark.parametrize("where", ["en", "ops"])
@pytest.mark.parametrize("command", ["!reply", "!note", "!close", "!key ask"])
async def test_a_text_for_the_ticket_of_another_room_is_refused(desk: Desk, command: str, where: str):
    await desk.ticket(queue="fr", language="fr")
    assert await desk.say(f"{command} #1 {THINGS}", where=where) == (
        "Ticket 1 belongs to the room of “fr”: say it there. "
        "https://matrix.to/#/!fr:helproom.test/$root1?via=helproom.test"
    )
    assert not await desk.rows()
    assert len(await desk.messages(1)) == 1
    assert (await desk.look(1)).closed_at is None


@pytest.mark.parametrize("line", ["!reply #1 Hello", "!key ask #1 Hello"])
async def test_where_an_answer_was_begun_its_preview_is_linked(desk: Desk, line: str):
    await desk.ticket()
    await desk.user_has_key()
    await desk.say("!template add key-ask en Is {fingerprint} your key?")
    assert await desk.say(line) == f"The preview is in the thread of #1: {LINK}"
    assert len(await desk.rows("preview")) == 1


async def test_an_answer_in_clear_says_where_its_preview_is_and_that_it_is_on_its_way(desk: Desk):
    await desk.ticket(confidential=True)
    said = await desk.say("!reply #1 --plain Write to us again.", verified=True)
    assert said == f"The preview is in the thread of #1: {LINK}"
    assert await desk.say("!send 1", where="ops") == "The answer in ticket 1 is on its way."
    assert (await desk.messages(1))[-1].state is ReplyState.LEAVING


async def test_in_the_ticket_s_thread_the_preview_alone_answers(desk: Desk):
    await desk.ticket()
    assert await desk.say("!reply Hello", ticket=1) == ""
    assert await desk.say("!send", ticket=1) == ""
    await desk.ticket()
    await desk.say("!reply Hello", ticket=2)
    assert await desk.say("!send #2", ticket=1) == "The answer in ticket 2 is on its way."
