# SPDX-License-Identifier: AGPL-3.0-or-later
"""`!quarantine recheck`: a letter that was put aside is judged again, as if it came now."""

from dataclasses import replace

from desk.intake import steps
from desk.letters.opened import Automatic, Opened
from desk.outbox.posts import say_from_json
from desk.quarantine.letters import put_aside
from storage.models import LetterState
from storage.sealing.vault import TagKind
from tests.commands.families.test_quarantine import AWAY, adds_up, comes, look, take_in
from tests.worlds.desk import ANA, Desk

PERSON = replace(AWAY, text="Help!", automatic=None)


async def fails(desk: Desk, reason: str = "internal error (3 attempts)", raw: bytes = b"raw") -> int:
    """A letter comes that cannot be opened; return its number."""
    number = await comes(desk, raw=raw)
    async with desk.units() as unit:
        letter = await unit.letters.get(number)
        await put_aside(desk.work(unit), letter, reason)
    return number


async def told(desk: Desk) -> list[tuple[str, str | None]]:
    """Return what was said since the letters came, with its thread."""
    said = [say_from_json(row.payload) for row in await desk.rows("say")]
    return [(each.text, each.thread) for each in said if "shows it" not in each.text]


async def test_a_letter_that_opens_by_now_becomes_a_ticket_and_that_is_said_where_it_was_asked(desk: Desk):
    await desk.ticket()
    await fails(desk)
    said = await desk.say("!quarantine recheck 1", ticket=1)
    assert said == "Letter 1 is opened again; what comes of it is said here."
    letter = await look(desk, 1)
    assert (letter.state, letter.tries, letter.due_at) == (LetterState.NEW, 0, desk.clock.now)
    assert await adds_up(desk) == {LetterState.NEW: 1}
    await take_in(desk, 1, PERSON)
    letter = await look(desk, 1)
    assert (letter.state, letter.ticket_id, letter.released_by) == (LetterState.TICKET, 2, None)
    assert ("Letter 1 has become ticket 2.", "$root1") in await told(desk)
    assert await adds_up(desk) == {LetterState.TICKET: 1}


async def test_a_letter_that_still_cannot_be_opened_stays_aside_and_says_so_once(desk: Desk):
    await fails(desk)
    await desk.say("!quarantine recheck 1")
    before = len(await desk.rows("say"))
    async with desk.units() as unit:
        letter = await unit.letters.get(1)
        await put_aside(desk.work(unit), letter, "The letter has too many parts.")
    [row] = (await desk.rows("say"))[before:]
    assert say_from_json(row.payload).text == (
        "Letter 1 is in quarantine as before: The letter has too many parts."
    )
    async with desk.units() as unit:
        assert (await unit.rooms.get(row.room)).queue == "en"
        assert await unit.outside.asked(1) is None
    assert (await look(desk, 1)).state is LetterState.QUARANTINED


async def test_it_is_judged_as_if_it_were_new(desk: Desk):
    """It is no release: what was put aside for a reason that holds is put aside again."""
    await comes(desk)
    await desk.say("!quarantine recheck 1", where="ops")
    await take_in(desk, 1)
    letter = await look(desk, 1)
    assert (letter.state, letter.released_by, letter.ticket_id) == (LetterState.QUARANTINED, None, None)
    said = [text for text, _ in await told(desk)]
    assert any(text.startswith("Letter 1 is in quarantine as before: an automatic mail") for text in said)


async def test_what_came_otherwise_meanwhile_is_not_taken_in_twice(desk: Desk):
    await fails(desk)
    await comes(desk, raw=b"by another way")
    mail = replace(PERSON, identity="one mail")
    async with desk.units() as unit:
        (await unit.letters.get(2)).state = LetterState.NEW
    await take_in(desk, 2, mail)
    await desk.say("!quarantine recheck 1")
    await take_in(desk, 1, mail)
    letter = await look(desk, 1)
    assert (letter.state, letter.ticket_id) == (LetterState.DROPPED, 1)
    reason = "Letter 1 is dropped and counted: the same mail was delivered before, as letter 2."
    assert (reason, None) in await told(desk)
    async with desk.units() as unit:
        assert len(await unit.tickets.open_in(None)) == 1


async def test_a_recheck_forgets_that_the_letter_was_released_before(desk: Desk):
    await desk.ticket()
    await comes(desk)
    await desk.say("!quarantine release 1 #1", by=ANA)
    async with desk.units() as unit:
        letter = await unit.letters.get(1)
        letter.state = LetterState.QUARANTINED
    await desk.say("!quarantine recheck 1")
    letter = await look(desk, 1)
    assert (letter.released_by, letter.ticket_id) == (None, None)


async def test_only_what_is_aside_here_is_rechecked(desk: Desk):
    await fails(desk)
    assert (await desk.say("!quarantine recheck 1", where="fr")).startswith(
        "No letter 1 is in quarantine here."
    )
    await desk.say("!quarantine recheck 1")
    assert (await desk.say("!quarantine recheck 1")).startswith("No letter 1 is in quarantine here.")
    assert (await look(desk, 1)).state is LetterState.NEW


async def test_a_bounce_finds_its_mail_when_it_is_judged_again(desk: Desk):
    bounce: Opened = replace(AWAY, automatic=Automatic.BOUNCE)
    await comes(desk)
    await desk.ticket()
    await desk.say("!quarantine recheck 1")
    token = desk.units.vault.reply_token((await desk.look(1)).ref)
    async with desk.units() as unit:
        letter = await unit.letters.get(1)
        letter.reply_tag = unit.vault.tag(TagKind.REPLY_TOKEN, token)
        await steps.take_in(desk.work(unit), letter, bounce)
    assert ("Letter 1 went to ticket 1.", None) in await told(desk)
