# SPDX-License-Identifier: AGPL-3.0-or-later
"""`!help`: written from the declarations."""

from collections.abc import Mapping

from commands.context import Context, Reply
from commands.grammar.declare import Command, Commands
from commands.grammar.words import Rest, brief
from desk.world import Refusal


def family_for(table: Mapping[str, Command]) -> Commands:
    """Return the family of `!help`, which tells of all the others."""
    family = Commands()

    @family.command("help", aliases=("h", "commands"))
    async def show_help(_context: Context, command: Rest = Rest("")) -> Reply:
        """Show what can be said, or how one command is said.

        !help
        !help reply
        """
        name = " ".join(command.removeprefix("!").casefold().split())
        return Reply(_one(table, name) if name else _all(table))

    return family


def _all(table: Mapping[str, Command]) -> str:
    commands = {command.name: command for command in table.values()}
    lines = [f"{command.usage} — {command.summary.splitlines()[0]}" for command in commands.values()]
    hints = (
        "In a ticket's thread no number is needed. 👀 on an announcement claims; "
        "✅ and ❌ on a preview send and cancel. `!help reply` tells more about one command."
    )
    return "\n".join((*sorted(lines), "", hints))


def _one(table: Mapping[str, Command], name: str) -> str:
    command = table.get(name)
    if command is None:
        family = {each.name: each for key, each in table.items() if key.startswith(f"{name} ")}
        if not family:
            raise Refusal(f"There is no command `!{brief(name)}`. `!help` lists all.")
        return "\n\n".join(_page(each) for each in family.values())
    return _page(command)


def _page(command: Command) -> str:
    also = f"\nAlso: {', '.join(f'!{alias}' for alias in command.aliases)}" if command.aliases else ""
    examples = "\n".join(command.examples)
    return f"{command.usage}\n{command.summary}{also}\nExamples:\n{examples}"
