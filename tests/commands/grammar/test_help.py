# SPDX-License-Identifier: AGPL-3.0-or-later
"""Help is written from the declarations, and what it shows can be said."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from commands import TABLE
from commands.context import Context, Reply
from commands.grammar.declare import Command, Commands, join
from commands.grammar.running import Runner
from commands.grammar.words import Remaining
from desk.tickets.threads import Thread
from storage.models import LetterState, Ticket
from storage.queries.letters import IncomingMail
from tests.worlds.desk import Desk, desk_at

COMMANDS = {command.name: command for command in TABLE.values()}
EXAMPLES = [(command, example) for command in COMMANDS.values() for example in command.examples]


@pytest.fixture(name="small_desk")
async def make_small_desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A desk with tickets 1 to 12, and letter 7 in quarantine; parsing asks no database for its dialect."""
    async with desk_at(f"sqlite+aiosqlite:///{tmp_path / 'helproom.db'}") as desk:
        for _ in range(12):
            await desk.ticket()
        async with desk.units() as unit:
            for number in range(7):
                raw, now = b"%d" % number, desk.clock.now
                kept = await unit.letters.keep(
                    IncomingMail("en", "", None, raw), ref=desk.world.token(), at=now, source="lmtp"
                )
            letter = await unit.letters.get(kept)
            letter.state, letter.reason = LetterState.QUARANTINED, "odd"
        yield desk


async def test_every_example_parses_in_a_thread_as_the_command_it_belongs_to(small_desk: Desk):
    async with small_desk.units() as unit:
        room, ticket = await unit.rooms.of_queue("en"), await unit.tickets.get(3)
        thread = Thread(ticket, "$root3", goes_on=True)
        context = Context(small_desk.heard(), room, small_desk.work(unit), thread)
        for command, example in EXAMPLES:
            word, after = Remaining(example.removeprefix("!")).word()
            found, rest = Runner(TABLE)._find(word, after)
            assert found is command, example
            arguments = await command._arguments(context, rest.text)
            assert len(arguments) == len(command.parameters), example
            tickets = [each for each in arguments if isinstance(each, Ticket)]
            assert [each.id for each in tickets] in ([], [12] if "#12" in example else [3]), example


async def test_help_shows_every_command_with_its_usage(small_desk: Desk):
    lines = (await small_desk.say("!help")).splitlines()
    for command in COMMANDS.values():
        assert f"{command.usage} — {command.summary.splitlines()[0]}" in lines


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda command: command.name)
async def test_help_for_one_command_shows_usage_and_examples(small_desk: Desk, command: Command):
    page = await small_desk.say(f"!help !{command.name}")
    assert page.startswith(f"{command.usage}\n")
    assert page.endswith("\n".join(command.examples))


async def test_help_for_a_family_shows_each_of_it(small_desk: Desk):
    page = await small_desk.say("!help template")
    assert all(
        f"!{name} " in page or f"!{name}\n" in page for name in COMMANDS if name.startswith("template ")
    )


def _declare(body, name="odd"):
    family = Commands()
    family.command(name)(body)
    return family


def test_a_parameter_type_without_converter_is_refused():
    async def odd(context: Context, share: float) -> Reply:
        """Do something.

        !odd 1.5
        """

    with pytest.raises(TypeError, match="no converter for the type of “share”"):
        _declare(odd)


def test_a_command_without_docstring_is_refused():
    async def odd(context: Context) -> Reply:
        return Reply("")

    with pytest.raises(TypeError, match="!odd needs a docstring"):
        _declare(odd)


def test_a_command_without_example_is_refused():
    async def odd(context: Context) -> Reply:
        """Do something."""

    with pytest.raises(TypeError, match="example line"):
        _declare(odd)


def test_two_commands_of_one_name_are_refused():
    async def odd(context: Context) -> Reply:
        """Do something.

        !odd
        """

    with pytest.raises(TypeError, match="two commands are called !odd"):
        join(_declare(odd), _declare(odd))


def test_no_command_hides_another_command_s_first_word():
    """`!reply` must not be eaten by `!reply something`: two-word names start with words of their own."""
    firsts = {name.split()[0] for name in TABLE if " " in name}
    singles = {name for name in TABLE if " " not in name}
    assert not firsts & singles


def test_the_agents_manual_has_every_command_and_its_short_forms():
    written = (Path(__file__).parents[3] / "docs" / "commands.md").read_text(encoding="utf-8")
    # `!t` is explained once for the whole family.
    names = {name for name in TABLE if not name.startswith("t ")} | {"t"}
    assert {"reply", "template add", "key reject"} < names
    assert [name for name in sorted(names) if not re.search(rf"`!{name}[ `]", written)] == []
