# SPDX-License-Identifier: AGPL-3.0-or-later
"""Finds the command that a message says, and runs it for those who may."""

import difflib
import re
from collections.abc import Mapping

import structlog

from commands.context import Context, Reply
from commands.grammar.declare import Command
from commands.grammar.spelling import command_in
from commands.grammar.words import Remaining, brief
from desk.stopwatch import Stopwatch
from desk.world import Refusal
from storage.models import RoomPurpose

log = structlog.get_logger()

# No database takes all of these (PostgreSQL no NUL, no encoding a lone surrogate), and no word holds them.
_UNSAYABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_IN_DISPOSABLE_ROOMS = frozenset({"room close", "help"})


class Runner:
    """All commands by name."""

    def __init__(self, table: Mapping[str, Command]) -> None:
        self._table = table

    async def run(self, context: Context) -> Reply | None:
        """Run what a message says; None when it is no command.

        Raises Refusal with a sentence for the speaker.
        """
        said = command_in(_UNSAYABLE.sub("", context.event.body))
        if said is None:
            return None
        word, after = Remaining(said).word()
        command, rest = self._find(word.casefold(), after)
        if context.room.purpose is RoomPurpose.DISPOSABLE and command.name not in _IN_DISPOSABLE_ROOMS:
            raise Refusal("In this room only `!room close` and `!help` work: guests read what is said here.")
        return await _logged(command, context, rest.text)

    def _find(self, word: str, after: Remaining) -> tuple[Command, Remaining]:
        second, beyond = after.word()
        pair = self._table.get(f"{word} {second.casefold()}")
        if pair is not None:
            return pair, beyond
        single = self._table.get(word)
        if single is not None:
            return single, after
        raise Refusal(self._unknown(word))

    def _unknown(self, word: str) -> str:
        family = sorted(name for name in self._table if name.startswith(f"{word} "))
        if family:
            return f"`!{word}` wants another word: {', '.join(f'`!{name}`' for name in family)}."
        near = difflib.get_close_matches(word, self._table, n=1)
        hint = f" Did you mean `!{near[0]}`?" if near else ""
        return f"There is no command `!{brief(word)}`.{hint} `!help` lists all."


async def _logged(command: Command, context: Context, rest: str) -> Reply | None:
    """Have a command say its reply; the log gets its name, never the words after it."""
    # Asked for now: of a ticket in a transaction that has failed, nothing can be read any more.
    ticket = context.ticket_in_thread.id if context.ticket_in_thread is not None else None
    stopwatch = Stopwatch()
    outcome = "failed"
    try:
        reply = await command.say(context, rest)
        outcome = "done"
    except Refusal:
        outcome = "refused"
        raise
    finally:
        log.info(
            "command.run",
            command=command.name,
            event_id=context.event.original_id,
            ticket=ticket,
            outcome=outcome,
            ms=stopwatch.ms,
        )
    return reply
