# SPDX-License-Identifier: AGPL-3.0-or-later
"""How a command is declared: its signature is the parser, its docstring the help."""

import inspect
import typing
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from commands.context import Context, Reply
from commands.grammar.words import CONVERTERS, Remaining, Rest, Unfit, Words, brief, names_ticket, number_in
from desk.rooms.names import link_to
from desk.tickets.threads import refuse_ended
from desk.world import Refusal
from storage.models import Ticket

EXAMPLE_TICKET = "#12"

Body = Callable[..., Awaitable[Reply | None]]


class Who(StrEnum):
    """Who may say a command."""

    AGENTS = "agents"
    ADMINS = "admins"


@dataclass(frozen=True)
class Parameter:
    """One argument: its name as shown, its type, and its default where it may be left out."""

    name: str
    type: Any
    optional: bool
    default: Any

    @property
    def shown(self) -> str:
        """How it looks in the usage line."""
        if self.type is Ticket:
            return "[#ticket]"
        name = f"{self.name}…" if self.type in {Rest, Words} else self.name
        return f"[{name}]" if self.optional else f"<{name}>"


@dataclass(frozen=True)
class Command:
    """A command as it was declared."""

    name: str
    """One word, or two such as "template add"."""
    aliases: tuple[str, ...]
    who: Who
    dangerous: bool
    """Obeyed only from a device that its owner has cross-signed."""
    summary: str
    examples: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    body: Body

    @property
    def usage(self) -> str:
        """The line that shows how to say it."""
        return " ".join((f"!{self.name}", *(each.shown for each in self.parameters)))

    async def say(self, context: Context, text: str) -> Reply | None:
        """Parse `text`, what follows the name, and run; raises Refusal with usage and an example."""
        if self.who is Who.ADMINS and context.agent not in context.work.config.admins:
            raise Refusal(f"`!{self.name}` is for admins of this desk.")
        if self.dangerous and not context.event.verified:
            raise Refusal(
                f"`!{self.name}` needs a device that you have verified (cross-signed). Nothing was done."
            )
        try:
            return await self.body(context, *await self._arguments(context, text))
        except Unfit as unfit:
            lines = (str(unfit), f"Usage: {self.usage}", *self._example(context, text))
            raise Refusal("\n".join(lines)) from None

    def _example(self, context: Context, text: str) -> Sequence[str]:
        """An example that is another line than the one that was just refused, if there is one."""
        refused = f"!{self.name} {text}".split()
        others = [each for each in self._examples_in(context) if each.split() != refused]
        return [f"Example: {each}" for each in others[:1]]

    def _examples_in(self, context: Context) -> Sequence[str]:
        """The examples as they can be said here; where no ticket is meant by itself, with one at the end."""
        begin = f"!{self.name}"
        if context.ticket_in_thread is not None:
            return self.examples
        if self._is_for_words:
            return [f"{begin} {EXAMPLE_TICKET}{each.removeprefix(begin)}" for each in self.examples]
        needed = [each.type for each in self.parameters if not each.optional]
        return [*self.examples, f"{begin} {EXAMPLE_TICKET}"] if needed == [Ticket] else self.examples

    @property
    def _is_for_words(self) -> bool:
        """It takes a ticket and a free text, which may begin with a number, too."""
        return {Ticket, Rest} <= {parameter.type for parameter in self.parameters}

    async def _arguments(self, context: Context, text: str) -> list[Any]:
        remaining = Remaining(text)
        if self._is_for_words:
            self._refuse_two_tickets(context, remaining)
            self._refuse_bare_number(context, remaining)
        arguments = []
        for parameter in self.parameters:
            if parameter.type is not Ticket and not remaining.word()[0]:
                if not parameter.optional:
                    raise Unfit(f"Something is missing: {parameter.shown}.")
                arguments.append(parameter.default)
                continue
            if parameter.type is Ticket and self._are_all_needed(context, remaining):
                arguments.append((await CONVERTERS[Ticket](context, Remaining("")))[0])
                continue
            value, remaining = await CONVERTERS[parameter.type](context, remaining)
            if self._is_for_words and isinstance(value, Ticket):
                await self._refuse_other_room(context, value)
            arguments.append(value)
        if remaining.rest():
            raise Unfit(f"I do not know what to do with “{brief(remaining.rest())}”.")
        return arguments

    def _are_all_needed(self, context: Context, remaining: Remaining) -> bool:
        """In a thread, `!link #12` is about issue 12: the word is needed further on."""
        needed = sum(not each.optional for each in self.parameters if each.type is not Ticket)
        return context.ticket_in_thread is not None and len(remaining.text.split()) <= needed

    def _refuse_two_tickets(self, context: Context, remaining: Remaining) -> None:
        """In a thread, "#12 and so on" or "12" may be for ticket 12 or be the text: nobody should guess."""
        here = context.ticket_in_thread
        if here is None:
            return
        word, after = remaining.word()
        number = number_in(word)
        is_alone = not after.word()[0]
        if number not in {None, here.id} and (is_alone or names_ticket(word)):
            raise Unfit(
                f"In this thread `!{self.name}` is about ticket {here.id}. Begin with another word, "
                f"or say it in the thread of ticket {number}."
            )

    def _refuse_bare_number(self, context: Context, remaining: Remaining) -> None:
        """Outside a thread, "2 things to try" is the text rather than ticket 2."""
        word, _ = remaining.word()
        here = context.ticket_thread
        if here is not None and not here.goes_on and here.ticket.queue != context.room.queue:
            raise refuse_ended(here.ticket, here.elsewhere, by_number=False)
        if here is not None or names_ticket(word):
            return
        number = number_in(word)
        ticket = EXAMPLE_TICKET if number is None else f"#{number}"
        raise Unfit(
            f"Which ticket? In a room begin with its number and the sign #: `!{self.name} {ticket}"
            f"{'' if self._is_whole_without_text else ' …'}`."
        )

    @property
    def _is_whole_without_text(self) -> bool:
        return all(parameter.optional for parameter in self.parameters if parameter.type is Rest)

    async def _refuse_other_room(self, context: Context, ticket: Ticket) -> None:
        """What is written to a user or kept with their ticket is said where its people read it."""
        if ticket.queue == context.room.queue:
            return
        home = await context.unit.rooms.of_queue(ticket.queue)
        link = link_to(home, ticket.event_id) if home is not None else ""
        raise Refusal(
            f"Ticket {ticket.id} belongs to the room of “{ticket.queue}”: say it there."
            + (f" {link}" if link else "")
        )


class Commands:
    """A family of commands: a passive list."""

    def __init__(self) -> None:
        self.declared: list[Command] = []

    def command(
        self, name: str, *, aliases: Sequence[str] = (), who: Who = Who.AGENTS, dangerous: bool = False
    ) -> Callable[[Body], Body]:
        """Declare the decorated function as a command; raises TypeError when it is not fit to be one."""

        def declare(body: Body) -> Body:
            summary, examples = _help_of(name, body)
            parameters = _parameters_of(name, body)
            command = Command(name, tuple(aliases), who, dangerous, summary, examples, parameters, body)
            self.declared.append(command)
            return body

        return declare


def _help_of(name: str, body: Body) -> tuple[str, tuple[str, ...]]:
    lines = (inspect.getdoc(body) or "").splitlines()
    examples = tuple(line.strip() for line in lines if line.strip().startswith("!"))
    summary = "\n".join(line for line in lines if not line.strip().startswith("!")).strip()
    if not summary or not examples:
        raise TypeError(f"!{name} needs a docstring with a sentence and an example line")
    return summary, examples


def _parameters_of(name: str, body: Body) -> tuple[Parameter, ...]:
    hints = typing.get_type_hints(body)
    found = []
    for parameter in list(inspect.signature(body).parameters.values())[1:]:
        kind = hints.get(parameter.name)
        if kind not in CONVERTERS:
            raise TypeError(f"!{name}: there is no converter for the type of “{parameter.name}”")
        optional = parameter.default is not inspect.Parameter.empty
        default = parameter.default if optional else None
        found.append(Parameter(parameter.name.replace("_", " "), kind, optional, default))
    return tuple(found)


def join(*families: Commands) -> dict[str, Command]:
    """Return all commands by name and alias; raises TypeError when two share one."""
    table: dict[str, Command] = {}
    for command in (command for family in families for command in family.declared):
        for name in (command.name, *command.aliases):
            if name in table:
                raise TypeError(f"two commands are called !{name}")
            table[name] = command
    return table
