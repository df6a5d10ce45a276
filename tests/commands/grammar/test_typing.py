# SPDX-License-Identifier: AGPL-3.0-or-later
"""What keyboards, clients and clipboards really send: it is understood, or refused with a short sentence."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from desk.rooms.disposable import invited_to
from tests.worlds.desk import ANA, BEN, Desk, desk_at

ZERO_WIDTH, BYTE_ORDER_MARK, LEFT_TO_RIGHT = "\u200b", "\ufeff", "\u200e"


@pytest.fixture(name="desk")
async def make_desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A desk on SQLite: what is parsed asks no database for its dialect."""
    async with desk_at(f"sqlite+aiosqlite:///{tmp_path / 'helproom.db'}") as desk:
        yield desk


@pytest.mark.parametrize(
    "said",
    [
        "!CLAIM 1",
        "!claim #1",
        "!claim\t1",
        "!claim\n1",
        "\n\n  !claim 1  \n",
        "!claim\u00a01",
        "!claim １",
        "!claim ＃1",
        "!claim ١",
        f"{BYTE_ORDER_MARK}!claim 1",
        f"!claim{ZERO_WIDTH} 1{ZERO_WIDTH}",
        f"!claim {LEFT_TO_RIGHT}#1{LEFT_TO_RIGHT}",
        "!claim\x00 1",
        "! claim 1",
        "\uff01claim 1",
        "```\n!claim 1\n```",
        "~~~text\n! claim 1\n~~~\n",
    ],
)
async def test_blanks_digits_and_invisible_characters_of_all_keyboards_are_understood(desk: Desk, said: str):
    await desk.ticket()
    assert await desk.say(said) == "Ticket 1 is yours."


@pytest.mark.parametrize("said", ["> !claim 1", "`!claim 1`", "See:\n```\n!claim 1\n```", "please !claim 1"])
async def test_a_command_that_is_quoted_is_no_command(desk: Desk, said: str):
    await desk.ticket()
    assert await desk.say(said) == ""
    assert (await desk.look(1)).owner is None


@pytest.mark.parametrize("said", ['!tag wifi "" it\'s', '!tag wifi "boot', '!tag wifi "two words"'])
async def test_a_word_in_quotes_is_not_dropped_with_what_follows(desk: Desk, said: str):
    await desk.ticket()
    assert "cannot be a tag" in await desk.say(said, ticket=1)
    assert (await desk.look(1)).tags == []


LONG = "<" * 30_000
PICKY = ("tag", "lang", "link", "assign", "list", "show", "room open", "help", "template show")


@pytest.mark.parametrize(
    "said",
    [
        f"!{LONG}",
        f"!x{LONG}",
        f"!claim 1 {LONG}",
        f"!reply {LONG} link=1",
        f"!template add {LONG} en Hello",
        *(f"!{command} {LONG}" for command in PICKY),
    ],
)
async def test_what_is_not_understood_is_quoted_only_in_part(desk: Desk, said: str):
    await desk.ticket()
    assert len(await desk.say(said, ticket=1)) < 400


@pytest.mark.parametrize(
    "name",
    [
        BEN,
        "ben",
        "@ben",
        "Ben",
        "@Ben:helproom.test",
        f"https://matrix.to/#/{BEN}",
        "https://matrix.to/#/%40ben%3Ahelproom.test?via=helproom.test",
        f"{BEN},",
    ],
)
async def test_an_agent_is_known_by_id_link_or_short_name(desk: Desk, name: str):
    await desk.ticket()
    assert await desk.say(f"!assign {name}", ticket=1) == f"Ticket 1 is {BEN}'s."
    assert (await desk.look(1)).owner == BEN


async def test_a_short_name_that_two_agents_have_is_nobody_s(desk: Desk):
    desk.config = replace(desk.config, agents=desk.config.agents | {"@ben:elsewhere.test"})
    await desk.ticket()
    assert await desk.say("!assign ben", ticket=1) == "ben is not an agent of this desk."
    assert (await desk.look(1)).owner is None


async def test_a_pill_stands_for_its_person_whatever_name_it_shows(desk: Desk):
    await desk.ticket()
    said = await desk.say("!assign Ben the Brave (he/him):", ticket=1, pills=(BEN,))
    assert said == f"Ticket 1 is {BEN}'s."
    assert "is not an agent" in await desk.say("!assign Who ever", ticket=1)
    assert "is not an agent" in await desk.say("!assign Who ever", ticket=1, pills=(BEN, ANA))
    assert (await desk.look(1)).owner == BEN


async def test_pills_in_a_text_stay_the_words_they_are(desk: Desk):
    await desk.ticket()
    await desk.say("!note Ben the Brave knows", ticket=1, pills=(BEN,))
    assert (await desk.messages(1))[-1].text == "Ben the Brave knows"


async def test_a_pill_names_the_guest_of_a_room(desk: Desk):
    await desk.ticket()
    await desk.say("!room open 12h A User @other:elsewhere.test", ticket=1, pills=("@user:elsewhere.test",))
    async with desk.units() as unit:
        room = await unit.rooms.of_ticket(1)
        assert invited_to(room).outsiders == ("@user:elsewhere.test", "@other:elsewhere.test")


async def test_a_guest_is_invited_once_and_the_agent_is_no_guest(desk: Desk):
    await desk.ticket()
    await desk.say(f"!room open @a:b.test {ANA} @a:b.test", ticket=1)
    async with desk.units() as unit:
        assert invited_to(await unit.rooms.of_ticket(1)).everybody == ("@a:b.test",)


async def test_queues_and_all_are_found_whatever_their_case(desk: Desk):
    await desk.ticket(queue="fr", language="fr")
    assert await desk.say("!list FR") == await desk.say("!list fr")
    assert (await desk.say("!left ALL")).startswith("Left to answer: 1")


@pytest.mark.parametrize("line", ["!close 2", "!reply 2", "!note 2", "!close ２"])
async def test_in_a_thread_a_bare_number_is_no_text(desk: Desk, line: str):
    await desk.ticket()
    await desk.ticket()
    answered = await desk.say(line, ticket=1)
    assert answered.startswith(f"In this thread `{line[: line.index(' ')]}` is about ticket 1.")
    assert (await desk.look(1)).closed_at is None
    assert (await desk.look(2)).closed_at is None
    assert not await desk.rows()


async def test_a_language_without_a_room_of_its_own_goes_to_that_of_its_base_or_stays(desk: Desk):
    await desk.ticket()
    assert "“xx” is not a language" in await desk.say("!lang xx", ticket=1)
    assert await desk.say("!lang de", ticket=1) == (
        "Ticket 1 is in “de”. There is no room for that language, so it stays here."
    )
    assert await desk.say("!lang en", ticket=1) == "Ticket 1 is in “en”."
    assert (await desk.say("!lang fr-CA", ticket=1)).count("goes on in the room of “fr”.")
    assert (await desk.look(1)).language == "fr-ca"


@pytest.mark.parametrize(
    ("said", "command", "outcome"),
    [
        ("!note hunter2", "note", "done"),
        ("!lang hunter2", "lang", "refused"),
        ("!template show x", "template show", "refused"),
    ],
)
async def test_the_log_gets_a_commands_name_and_none_of_its_words(
    desk: Desk, said: str, command: str, outcome: str
):
    await desk.ticket()
    with capture_logs() as lines:
        await desk.say(said, ticket=1)
    [line] = [line for line in lines if line["event"] == "command.run"]
    assert (line["command"], line["ticket"], line["outcome"]) == (command, 1, outcome)
    assert isinstance(line["ms"], int)
    assert "hunter2" not in repr(lines)
