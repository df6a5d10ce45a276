# SPDX-License-Identifier: AGPL-3.0-or-later
"""What it means that somebody edits or removes what they said: the old words must not have their way."""

from desk.context import Work
from desk.outbox.posts import answer_in_thread
from desk.replies import drafts
from desk.tickets import actions, threads
from desk.tickets.locks import locked
from desk.world import Refusal
from storage.models import OPEN_REPLY, Came, Event, EventState, Message, ReplyState
from storage.unit import Unit

_NOT_HEARD = (
    "This edit changes a message that I have not heard, or do not remember: it does nothing. Say it in a "
    "new message."
)
_DONE = (
    "I have acted on the words as they were, so that the edit changes nothing. Say what is still to be done "
    "in a new message."
)


NO_COMMAND = "Your edit is no command, so the answer is cancelled: it will not be sent."
OLD_WORDS_STAY = "The answer with the old words will not be sent either; its files wait for the next one."


async def original_of(unit: Unit, edit: Event) -> Event | None:
    """Return what an edit changes; None when it is somebody else's, or was removed.

    Raises Refusal when it was never heard.
    """
    original = await unit.journal.by_event(edit.edits or "", lock=True)
    if original is None:
        raise Refusal(_NOT_HEARD)
    return original if edit.is_change_of(original) and original.came is not Came.REMOVED else None


async def make_way(work: Work, original: Event, agent: str) -> bool:
    """Undo what the old words did, so that the new ones can be obeyed; tell whether an answer was held.

    Raises Refusal when it is too late.
    """
    draft = await _draft_of(work.unit, original)
    if await _set_aside(work, original, draft, agent):
        return True
    if original.came is Came.NOTHING:
        return False
    raise Refusal(_too_late(draft) if draft is not None else _DONE if original.came else _NOT_HEARD)


async def end_old_words(work: Work, edit: Event) -> bool:
    """Hold back the answer with the old words though the new ones were refused; tell whether there is one."""
    original = await work.unit.journal.by_event(edit.edits or "", lock=True)
    if original is None or not edit.is_change_of(original):
        return False
    draft = await _draft_of(work.unit, original)
    return await _set_aside(work, original, draft, edit.sender or "")


async def removed(work: Work, removal: Event, event_id: str) -> None:
    """Take back what a message or a reaction did that its author has removed, as far as it can be."""
    said = await work.unit.journal.by_event(event_id, lock=True)
    if said is not None and said.edits is not None:
        said = await work.unit.journal.by_event(said.edits, lock=True)
    if said is None:
        return
    agent = removal.sender or ""
    draft = await _draft_of(work.unit, said)
    if not removal.is_change_of(said):
        if draft is not None and draft.state in OPEN_REPLY:
            told = f"{agent} removed the command of {draft.author}: the answer is still held. "
            await answer_in_thread(work, draft.ticket, f"{told}❌ or `!cancel` takes it back.")
        return
    if draft is not None and said.came is not Came.REMOVED:
        await _take_back(work, draft, agent)
    elif said.came is Came.CLAIMED:
        await _release(work, said, agent)
    _silence(said)
    said.came = Came.REMOVED


async def _set_aside(work: Work, original: Event, draft: Message | None, agent: str) -> bool:
    """See to it that the old words do nothing any more; tell whether an answer with them was still held."""
    _silence(original)
    if draft is None or draft.state not in OPEN_REPLY:
        return False
    await drafts.give_way(work, draft, agent)
    original.came = Came.NOTHING
    return True


def _silence(said: Event) -> None:
    """Its key may still come: then nothing is to be done any more."""
    if said.state is EventState.UNDECRYPTABLE:
        said.finish(EventState.DONE)


async def _take_back(work: Work, draft: Message, agent: str) -> None:
    if draft.state in OPEN_REPLY:
        await drafts.cancel(work, draft, agent)
        words = "Cancelled, as its command was removed: the answer will not be sent."
    elif draft.state is ReplyState.CANCELLED:
        return
    elif draft.state is ReplyState.SENT:
        words = "The command was removed too late: the answer has left."
    else:
        words = f"The command was removed too late: the answer is {drafts.how_it_stands(draft)}."
    await answer_in_thread(work, draft.ticket, words)


async def _release(work: Work, reaction: Event, agent: str) -> None:
    thread = await threads.of_event(work.unit, reaction.target or "")
    ticket = await work.unit.tickets.get(thread.ticket.id, lock=True) if thread is not None else None
    if ticket is not None and ticket.owner == agent:
        await actions.release(work, ticket, agent)
        await answer_in_thread(work, ticket, f"Ticket {ticket.id} is free again: {agent} took 👀 away.")


async def _draft_of(unit: Unit, said: Event) -> Message | None:
    found = await unit.messages.asked_by(said.event_id)
    return await locked(unit, found.id) if found is not None else None


def _too_late(draft: Message) -> str:
    if draft.state is ReplyState.CANCELLED:
        return "This answer was taken back, and the edit does not bring it back: `!reply` in a new message."
    if draft.state is ReplyState.SENT:
        has = "The answer has left with the old words"
    else:
        has = f"The answer with the old words is {drafts.how_it_stands(draft)}"
    return f"{has}; the edit changes nothing. `!reply` in a new message writes another answer."
