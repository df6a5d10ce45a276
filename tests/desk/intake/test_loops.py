# SPDX-License-Identifier: AGPL-3.0-or-later
"""Our own mail come back is dropped; what may be a person's is not lost."""

from dataclasses import replace

import pytest

from desk.intake import steps
from desk.letters.opened import Automatic, Encryption, EncryptionState, Opened
from desk.outbox.posts import say_from_json
from storage.models import LetterState
from tests.desk.intake.test_intake import PLAIN, answer, take_in, told, wrote
from tests.worlds.desk import Desk


@pytest.mark.parametrize(
    "opened",
    [
        replace(PLAIN, automatic=Automatic.LOOP, loop_marks=("help+token@helproom.test",)),
        wrote(sender="help@helproom.test"),
    ],
    ids=["loop header", "our address"],
)
async def test_our_own_mail_is_dropped(desk: Desk, opened: Opened):
    letter = await take_in(desk, opened)
    assert letter.state is LetterState.DROPPED
    [said] = [say_from_json(row.payload).text for row in await desk.rows()]
    assert said == (
        "Letter 1 is dropped: our own mail came back. `!quarantine show 1` shows it all the same. Others of "
        "today are only counted."
    )
    before = len(await desk.rows())
    await take_in(desk, replace(opened, text="Another."))
    assert len(await desk.rows()) == before
    desk.clock.pass_by(days=1)
    await take_in(desk, replace(opened, text="A third."))
    assert len(await desk.rows()) == before + 1


async def test_what_was_taken_for_our_own_mail_can_be_seen_and_taken_in(desk: Desk):
    marked = replace(PLAIN, loop_marks=("help@helproom.test",))
    letter = await take_in(desk, marked)
    assert letter.state is LetterState.DROPPED
    assert await desk.say("!quarantine list", where="ops") == "Nothing is in quarantine."
    assert await desk.say(f"!quarantine show {letter.id}", where="ops") == "Letter 1 is being opened."
    said = await desk.say(f"!quarantine release {letter.id}", where="ops")
    assert said == "Letter 1 is opened again and becomes a new ticket."
    async with desk.units() as unit:
        kept = await unit.letters.get(letter.id)
        await steps.take_in(desk.work(unit), kept, marked)
        assert (kept.state, kept.ticket_id) == (LetterState.TICKET, 1)


async def test_what_bears_the_mark_of_somebody_else_s_mailbox_is_not_lost(desk: Desk):
    """Who forwards mail marks it, and a server on its way may note that mailbox as one it was for."""
    marked = replace(PLAIN, automatic=Automatic.LOOP, loop_marks=("old@elsewhere.test",))
    letter = await take_in(desk, marked)
    assert letter.state is LetterState.QUARANTINED
    assert "as what was forwarded does. `!quarantine show 1` shows it." in await told(desk)


async def test_what_comes_from_our_address_and_cannot_be_opened_may_be_a_report(desk: Desk):
    shut = replace(wrote(sender="help@helproom.test"), encryption=Encryption(EncryptionState.UNDECRYPTABLE))
    letter = await take_in(desk, shut)
    assert letter.state is LetterState.QUARANTINED
    assert "it may be a report" in await told(desk)
    marked = replace(shut, loop_marks=("help@helproom.test",), text="Marked.")
    assert (await take_in(desk, marked)).state is LetterState.DROPPED


async def test_our_own_mail_is_known_by_its_message_id_whatever_its_from_has_become(desk: Desk):
    await take_in(desk, PLAIN)
    opened = wrote(sender="list@elsewhere.test")
    ours = replace(opened, headers=replace(opened.headers, message_id=await answer(desk)))
    letter = await take_in(desk, ours)
    assert (letter.state, letter.reason) == (LetterState.DROPPED, "our own mail came back")
