# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who asked about a letter hears what came of it, in the thread where they asked, and once."""

from desk.context import Work
from desk.outbox.posts import Say, say_in
from desk.outbox.ranks import Rank
from storage.models import Asker, Letter, LetterState, Room
from storage.unit import Unit


async def note(unit: Unit, letter: Letter, room: Room, thread: str | None) -> None:
    """Remember where somebody waits; who asked last is told."""
    await unit.outside.ask(Asker(letter_id=letter.id, room=room.id, thread=thread))


async def answer(work: Work, letter: Letter) -> bool:
    """Say what came of a letter; False when nobody waits to hear of it."""
    return await say_to_asker(work, letter, _end_of(letter))


async def say_to_asker(work: Work, letter: Letter, words: str) -> bool:
    """Say something of a letter to who waits for it, who then waits no longer; False when nobody does."""
    asked = await work.unit.outside.asked(letter.id)
    room = await work.unit.rooms.get(asked.room) if asked is not None else None
    if asked is None or room is None:
        return False
    await say_in(work, room, Say(words, thread=asked.thread), rank=Rank.ANSWER)
    await work.unit.outside.forget_asker(asked)
    return True


def _end_of(letter: Letter) -> str:
    number, reason = f"Letter {letter.id}", (letter.reason or "").rstrip(".")
    match letter.state:
        case LetterState.TICKET:
            return f"{number} has become ticket {letter.ticket_id}."
        case LetterState.FOLLOW_UP:
            return f"{number} went to ticket {letter.ticket_id}."
        case LetterState.QUARANTINED:
            return f"{number} is in quarantine as before: {reason}."
        case _:
            return f"{number} is dropped and counted: {reason}."
