# SPDX-License-Identifier: AGPL-3.0-or-later
"""A report is found by its WhisperBack id, and one that comes twice is told."""

import pytest

from desk.intake import same_report
from desk.outbox.posts import say_from_json
from storage.models import Ticket
from storage.sealing.vault import TagKind
from tests.worlds.desk import BEN, Desk

REPORT_ID = "40cd8f2ebf1326ba950bb700fcf4e633"
NEIGHBOUR = "40cd8f2e00000000000000000000"


@pytest.mark.parametrize(
    "word", [REPORT_ID, REPORT_ID.upper(), f"wb:{REPORT_ID}", REPORT_ID[:9], REPORT_ID[:20]]
)
async def test_a_report_is_found_by_its_id_or_the_first_digits_of_it(desk: Desk, word: str):
    await desk.ticket(whisperback_id=NEIGHBOUR)
    await desk.ticket(whisperback_id=REPORT_ID, queue="fr")
    await desk.say("!claim 2", by=BEN)
    assert await desk.say(f"!wb {word}") == (f"#2 · claimed by {BEN} · room of “fr” · 0 min · wb:{REPORT_ID}")


async def test_all_tickets_that_begin_so_are_listed(desk: Desk):
    for report_id in (REPORT_ID, None, NEIGHBOUR, REPORT_ID):
        await desk.ticket(whisperback_id=report_id)
    found = await desk.say("!wb 40cd8f2e")
    assert [line.split(" ")[0] for line in found.split("\n")] == ["#1", "#3", "#4"]


async def test_no_report_with_this_id(desk: Desk):
    await desk.ticket(whisperback_id=REPORT_ID)
    assert await desk.say(f"!wb {REPORT_ID[:-1]}4") == (
        "No ticket holds a report with this WhisperBack id (any more)."
    )


@pytest.mark.parametrize("word", [REPORT_ID[:7], "40cd8f2%", "g" * 32, REPORT_ID + "0", "wb:"])
async def test_what_is_no_id_is_refused_with_a_sentence(desk: Desk, word: str):
    assert (await desk.say(f"!wb {word}")).startswith(f"“{word[:59]}")
    assert "is no WhisperBack id" in await desk.say(f"!wb {word}")


async def test_the_id_stands_nowhere_in_clear(desk: Desk):
    number = await desk.ticket(whisperback_id=REPORT_ID)
    ticket = await desk.look(number)
    clear = {name: value for name, value in vars(ticket).items() if isinstance(value, str | bytes)}
    assert clear["whisperback_tag"] == desk.units.vault.tag(TagKind.WHISPERBACK, REPORT_ID[:8])
    assert not [name for name, value in clear.items() if REPORT_ID[:8] in str(value)]


async def test_the_same_report_twice_is_told_in_both_threads(desk: Desk):
    for report_id, queue in ((REPORT_ID, "en"), (REPORT_ID[:24], "en"), (REPORT_ID, "fr")):
        number = await desk.ticket(whisperback_id=report_id, queue=queue)
        async with desk.units() as unit:
            await same_report.tell_same(desk.work(unit), await _ticket(unit, number))
    told = [(row.ticket_id, say_from_json(row.payload)) for row in await desk.rows("say")]
    assert [(number, say.text, say.thread) for number, say in told] == [
        (3, "This report's WhisperBack id came before: #1 (room of “en”).", "$root3"),
        (1, "A report with the same WhisperBack id came: #3 (room of “fr”).", "$root1"),
    ]


async def test_a_ticket_without_report_is_told_nothing(desk: Desk):
    for _ in range(2):
        number = await desk.ticket()
        async with desk.units() as unit:
            await same_report.tell_same(desk.work(unit), await _ticket(unit, number))
    assert await desk.rows("say") == []


async def _ticket(unit, number: int) -> Ticket:
    ticket = await unit.tickets.get(number)
    assert ticket is not None
    return ticket
