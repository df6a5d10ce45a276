# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters in quarantine: who sees them, and what becomes of them at a word."""

from dataclasses import replace

import pytest

from desk.intake import steps
from desk.letters.opened import Automatic, Encryption, EncryptionState, Headers, Opened
from desk.outbox.posts import say_from_json
from desk.quarantine.letters import SHOW, show
from storage.models import Letter, LetterState
from storage.queries.letters import IncomingMail
from tests.worlds.desk import ANA, BEN, USER, Desk

AWAY = Opened(
    "plain",
    Encryption(EncryptionState.NONE),
    Headers(subject="Out of office", sender="eve@elsewhere.test", message_id="<1@elsewhere.test>"),
    "I am away.",
    automatic=Automatic.AUTO_REPLY,
)


async def comes(desk: Desk, *, queue: str = "en", raw: bytes = b"raw") -> int:
    """A letter comes that ends in quarantine; return its number."""
    async with desk.units() as unit:
        new = IncomingMail(queue, USER, None, raw)
        number = await unit.letters.keep(new, ref=desk.world.token(), at=desk.clock.now, source="lmtp")
    await take_in(desk, number)
    return number


async def take_in(desk: Desk, number: int, opened: Opened = AWAY) -> None:
    async with desk.units() as unit:
        letter = await unit.letters.get(number)
        await steps.take_in(desk.work(unit), letter, opened)


async def look(desk: Desk, number: int) -> Letter:
    async with desk.units() as unit:
        return await unit.letters.get(number)


async def adds_up(desk: Desk) -> dict[LetterState, int]:
    """Return the census, after making sure that no letter is lost."""
    async with desk.units() as unit:
        day = desk.clock.now.replace(hour=0)
        found = await unit.accounting.census(day, desk.clock.now.replace(hour=23))
    assert (found.lost, sum(found.counts.values())) == ((), found.received)
    return found.counts


async def test_what_is_aside_is_listed_with_number_queue_age_size_and_reason(desk: Desk):
    await comes(desk)
    await comes(desk, queue="fr", raw=b"x" * 7000)
    desk.clock.pass_by(hours=3)
    reason = "an automatic mail (auto-reply) that answers none of ours"
    assert await desk.say("!quarantine list", where="ops") == (
        f"In quarantine: 2\n1 en · 3 h · 1 KB · {reason}\n2 fr · 3 h · 7 KB · {reason}"
    )
    assert await desk.say("!quarantine list") == f"In quarantine: 1\n1 en · 3 h · 1 KB · {reason}"


async def test_a_long_list_goes_on_in_a_file(desk: Desk):
    for number in range(31):
        await comes(desk, raw=b"%d" % number)
    reply = await desk.said("!quarantine list")
    assert reply.text.endswith("… and 1 more in the file below.")
    assert len(reply.file.text.splitlines()) == 31


@pytest.mark.parametrize("what", ["show 1", "release 1", "release 1 new", "drop 1"])
async def test_another_queue_s_room_sees_no_letter_of_this_one(desk: Desk, what: str):
    await comes(desk)
    refused = await desk.say(f"!quarantine {what}", where="fr", verified=True)
    assert refused.startswith("No letter 1 is in quarantine here.")
    assert await desk.say("!quarantine list", where="fr") == "Nothing is in quarantine."
    assert (await look(desk, 1)).state is LetterState.QUARANTINED


@pytest.mark.parametrize("what", ["show", "release", "drop"])
async def test_only_what_is_in_quarantine_is_touched(desk: Desk, what: str):
    await comes(desk)
    await desk.say("!quarantine release 1")
    for number in ("1", "9"):
        said = f"!quarantine {what} {number}"
        assert (await desk.say(said, verified=True)).startswith(f"No letter {number} is in quarantine here.")


async def test_a_released_letter_becomes_a_ticket_whatever_it_is(desk: Desk):
    await comes(desk)
    said = await desk.say("!quarantine release 1", by=BEN)
    assert said == "Letter 1 is opened again and becomes a new ticket."
    assert await adds_up(desk) == {LetterState.NEW: 1}
    await take_in(desk, 1)
    letter = await look(desk, 1)
    assert (letter.state, letter.ticket_id) == (LetterState.TICKET, 1)
    assert letter.reason == f"released from quarantine by {BEN}"
    assert [each.text for each in await desk.messages(1)] == ["I am away."]
    assert await adds_up(desk) == {LetterState.TICKET: 1}


@pytest.mark.parametrize("why", [Automatic.AUTO_REPLY, Automatic.BOUNCE])
async def test_what_a_thread_was_told_of_is_shown_and_taken_in_where_its_ticket_is(
    desk: Desk, why: Automatic
):
    """A program is known by signs that a person's letter can have, too: it must not be out of reach."""
    ticket = await desk.ticket(queue="fr")
    number = await comes(desk)
    async with desk.units() as unit:
        letter = await unit.letters.get(number)
        letter.reply_tag = (await unit.tickets.get(ticket)).reply_tag
    words = "My landlord reads my mail."
    await take_in(desk, number, replace(AWAY, text=words, automatic=why))
    assert (await look(desk, number)).state is LetterState.FOLLOW_UP
    told = [say_from_json(row.payload).text for row in await desk.rows("say")][-1]
    assert f"`!quarantine show {number}` shows it" in told
    assert words not in told
    assert (await desk.say("!quarantine show 1", where="en")).startswith("No letter 1 is in quarantine here")
    assert await desk.say("!quarantine list", where="ops") == "Nothing is in quarantine."
    assert await desk.say("!quarantine show 1", where="fr") == "Letter 1 is being opened."
    async with desk.units() as unit:
        [row] = [each for each in await desk.rows() if each.kind == SHOW.name]
        await show(desk.work(unit), row.id, replace(AWAY, text=words, automatic=why))
    shown = [say_from_json(each.payload) for each in await desk.rows("say")][-1]
    assert shown.text.startswith(f"Letter 1, told in ticket 1, 0 min old: {why.value}")
    assert words in shown.quote
    said = await desk.say("!quarantine release 1", where="fr")
    assert said == "Letter 1 is opened again and goes to ticket 1."
    await take_in(desk, number, replace(AWAY, text=words, automatic=why))
    assert [each.text for each in await desk.messages(1)][-1] == words
    assert (await adds_up(desk))[LetterState.FOLLOW_UP] == 1


@pytest.mark.parametrize("where", ["#1", "1"])
async def test_a_released_letter_goes_to_the_ticket_that_is_named(desk: Desk, where: str):
    await desk.ticket()
    await comes(desk)
    said = await desk.say(f"!quarantine release 1 {where}", where="ops")
    assert said == "Letter 1 is opened again and goes to ticket 1."
    await take_in(desk, 1)
    letter = await look(desk, 1)
    assert (letter.state, letter.ticket_id) == (LetterState.FOLLOW_UP, 1)
    assert (await desk.messages(1))[-1].text == "I am away."
    assert "did not come from the ticket's address" in await desk.say("!show", ticket=1)
    assert await adds_up(desk) == {LetterState.FOLLOW_UP: 1}


async def test_a_letter_goes_to_the_ticket_it_claims_unless_it_is_to_be_new(desk: Desk):
    await desk.ticket()
    number = await comes(desk)
    async with desk.units() as unit:
        (await unit.letters.get(number)).ticket_id = 1
    assert await desk.say("!quarantine release 1") == "Letter 1 is opened again and goes to ticket 1."
    await take_in(desk, number)
    assert (await look(desk, 1)).ticket_id == 1
    number = await comes(desk, raw=b"other")
    async with desk.units() as unit:
        (await unit.letters.get(number)).ticket_id = 1
    said = await desk.say("!quarantine release 2 NEW")
    assert said == "Letter 2 is opened again and becomes a new ticket."
    await take_in(desk, number)
    assert (await look(desk, 2)).ticket_id == 2


@pytest.mark.parametrize(
    ("what", "answered"),
    [
        ("release 1 99", "There is no ticket 99."),
        ("release 1 old", "“old” is neither a ticket such as “#12” nor “new” nor a queue."),
        ("release", "Something is missing: <letter>."),
        ("release one", "“one” is not a number from 1 to 999999999."),
    ],
)
async def test_a_release_that_makes_no_sense_changes_nothing(desk: Desk, what: str, answered: str):
    await comes(desk)
    assert (await desk.say(f"!quarantine {what}")).startswith(answered)
    assert (await look(desk, 1)).state is LetterState.QUARANTINED


async def test_a_dropped_letter_is_forgotten_and_counted_with_who_dropped_it(desk: Desk):
    await comes(desk)
    assert "needs a device that you have verified" in await desk.say("!quarantine drop 1")
    assert (await desk.say("!quarantine drop 1", by=BEN, verified=True)).startswith("Letter 1 is dropped")
    letter = await look(desk, 1)
    assert letter.state is LetterState.DROPPED
    assert letter.reason.startswith(f"dropped by {BEN}; was in quarantine: an automatic mail")
    async with desk.units() as unit:
        kept = await unit.letters.get(1)
        assert (kept.wrapped_key, await unit.letters.raw(kept), kept.mail_from_sealed) == (None, None, None)
    assert await adds_up(desk) == {LetterState.DROPPED: 1}
    assert await desk.say("!quarantine list") == "Nothing is in quarantine."


async def shown(desk: Desk, found: Opened | str) -> list[tuple[str, str, str | None]]:
    """Let what was asked for be opened; return text, quote and file of what is said then."""
    before = len(await desk.rows("say", "file"))
    [row] = await desk.rows(SHOW)
    async with desk.units() as unit:
        await show(desk.work(unit), row.id, found)
        await show(desk.work(unit), row.id, found)
    said = [say_from_json(each.payload) for each in (await desk.rows("say", "file"))[before:]]
    return [(each.text, each.quote, each.file.text if each.file else None) for each in said]


async def test_what_is_shown_is_said_once_where_it_was_asked_for(desk: Desk):
    await comes(desk)
    assert await desk.say("!quarantine show 1", where="ops") == "Letter 1 is being opened."
    [(text, quote, file)] = await shown(desk, AWAY)
    assert text.startswith("Letter 1, in quarantine, 0 min old: an automatic mail (auto-reply)")
    assert "\nFrom: eve@elsewhere.test\nSubject: Out of office\nProtection: Not encrypted." in text
    assert (quote, file) == ("I am away.", None)
    [row] = [each for each in await desk.rows("say") if "being" not in each.payload][-1:]
    async with desk.units() as unit:
        assert (await unit.rooms.get(row.room)).room_id == "!ops:helproom.test"


@pytest.mark.parametrize(
    ("raw", "file"), [("ünï".encode(), "ünï"), (b"\xff\xfe", "//4=\n")], ids=["text", "bytes"]
)
async def test_what_cannot_be_opened_is_shown_raw_when_it_is_small(desk: Desk, raw: bytes, file: str):
    await comes(desk, raw=raw)
    await desk.say("!quarantine show 1")
    said = await shown(desk, "The letter has more than 500 parts.")
    assert "It cannot be opened: The letter has more than 500 parts." in said[0][0]
    assert said[-1][2] == file


async def test_what_cannot_be_opened_is_not_shown_raw_when_it_is_large(desk: Desk):
    await comes(desk, raw=b"x" * 500_001)
    await desk.say("!quarantine show 1")
    [(text, _, file)] = await shown(desk, "It is too deep.")
    assert text.endswith("At 500001 bytes it is too large to show raw.")
    assert file is None


async def test_what_was_released_meanwhile_is_not_shown(desk: Desk):
    await comes(desk)
    await desk.say("!quarantine show 1")
    await desk.say("!quarantine release 1", by=ANA)
    [(text, quote, _)] = await shown(desk, AWAY)
    assert text.startswith("No letter 1 is in quarantine here.")
    assert quote == ""
