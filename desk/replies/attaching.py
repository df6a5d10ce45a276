# SPDX-License-Identifier: AGPL-3.0-or-later
"""`!attach`: which files leave with an answer. They are fetched later, and what came of it is said then."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from desk.context import Work
from desk.duty.pings import call, mention
from desk.outbox.kinds import MINUTE, Kind
from desk.outbox.posts import answer_in_thread, finish, put
from desk.replies import files, previews
from desk.replies.protection import IN_CLEAR, path_of
from desk.sizes import size_words
from desk.tickets.locks import locked
from desk.world import Refusal
from storage.models import OPEN_REPLY, Message, Outbox, OutboxState, OutgoingFile, ReplyState, Room, Ticket
from storage.sealing.columns import to_json
from storage.unit import Unit

_PERHAPS_REMOVED = (
    "a message of yours was removed while your newest file was looked for. Say `!attach` as a reply to the "
    "file."
)


@dataclass(frozen=True)
class AttachRequest:
    """Which file an agent wants to leave, by Matrix event ids."""

    agent: str
    command: str
    """The message that asks for it."""
    thread: str
    """The root of the ticket's thread, in which the file must be."""
    file: str | None
    """The file; None: the agent's newest before the command."""


@dataclass(frozen=True)
class Fetched:
    """A file as it was in the room."""

    event_id: str
    name: str
    media_type: str
    content: bytes = field(repr=False)


async def ask(work: Work, ticket: Ticket, room: Room, wish: AttachRequest) -> None:
    """Have a file fetched that leaves with the held answer, or else with the next.

    A held answer waits for it, and its hold begins anew. Raises Refusal when no file can leave, or too many.
    """
    held = await work.unit.messages.open_reply(ticket, lock=True)
    _refuse_where_none_can(ticket, held)
    most = work.config.replies.most_files
    if most == 0:
        raise Refusal("At this desk no files leave with answers: its config says `most_files: 0`.")
    there = await _there(work.unit, ticket, held)
    if len(there) >= most:
        raise Refusal(f"With one answer {most} files can leave at most; `!detach` takes some away.")
    if wish.file is not None and any(each.event_id == wish.file for each in there):
        raise Refusal("That file is attached already.")
    new = OutgoingFile(ref=work.world.token(), ticket=ticket, event_id=wish.file, asked_at=work.world.now())
    new.message_id = held.id if held is not None else None
    await work.unit.enclosures.add(new)
    if held is not None:
        await _hold_anew(work, held)
    payload = to_json({"enclosure": new.id, **asdict(wish)})
    await put(work, FETCH, f"{FETCH.name}:{new.id}", payload, room=room.id, ticket=ticket.id)


def wish_of(payload: str) -> tuple[int, AttachRequest]:
    """Return the number of the file that a row of the kind FETCH is about, and which one is wanted."""
    fields = json.loads(payload)
    return fields.pop("enclosure"), AttachRequest(**fields)


async def fetched(work: Work, row_id: int, enclosure_id: int, file: Fetched | str) -> None:
    """Keep a file that was fetched, or tell why it cannot be; the row ends in the same unit.

    Of a file that nobody wants any more nothing is kept.
    """
    enclosure, draft = await _locked(work.unit, enclosure_id)
    row = await work.unit.outbox.get(row_id)  # read under the lock: somebody else may just have ended it
    if row is None or row.state is not OutboxState.PENDING:
        return
    finish(work.world, row, OutboxState.SENT)
    if enclosure is None:
        return
    why = file if isinstance(file, str) else await _unfit(work, enclosure, draft, file)
    if isinstance(file, str) or why:
        await _do_without(work, enclosure, draft, why)
        return
    enclosure.name, enclosure.media_type = (
        files.fit_name(file.name),
        files.fit_media_type(file.media_type),
    )
    enclosure.content, enclosure.size = file.content, len(file.content)
    enclosure.event_id = file.event_id
    await work.unit.flush()
    goes = "the held answer" if draft is not None else "the next answer (`!reply`)"
    words = f"Attached: {files.line_of(enclosure)}. It leaves with {goes}; `!detach` takes it away."
    await answer_in_thread(work, enclosure.ticket, words)
    if draft is not None:
        await _hold_anew(work, draft)


async def give_up(work: Work, row: Outbox) -> bool:
    """Tell that a file could not be fetched; nobody can try again but the one who asked."""
    enclosure, draft = await _locked(work.unit, wish_of(row.payload or "")[0])
    finish(work.world, row, OutboxState.DROPPED)
    if enclosure is not None:
        await _do_without(work, enclosure, draft, f"{row.error}.")
    return True


async def detach(work: Work, ticket: Ticket, name: str) -> Sequence[str]:
    """Take files away from the held or the next answer: those of this name, or all; return what they were.

    Raises Refusal when there is none.
    """
    held = await work.unit.messages.open_reply(ticket, lock=True)
    there = await _there(work.unit, ticket, held)
    wanted = [each for each in there if not name or (each.name or "").casefold() == name.casefold()]
    if not wanted:
        known = ", ".join(map(files.line_of, there))
        raise Refusal(f"No such file is attached: there is {known}." if there else "No file is attached.")
    lines = [files.line_of(each) for each in wanted]
    await work.unit.enclosures.drop(*wanted)
    if held is not None:
        await _hold_anew(work, held)
    return lines


async def choose(unit: Unit, enclosure_id: int, event_id: str) -> bool:
    """Note which file is going to be fetched; False when nobody wants it any more."""
    enclosure, _ = await _locked(unit, enclosure_id)
    if enclosure is not None:
        enclosure.event_id = event_id
    return enclosure is not None


async def withdraw(work: Work, event_id: str, *, by: str) -> None:
    """Take a file away whose message was removed from the room, wherever it is attached.

    An answer that is on its way, or was refused, does not leave without it either. A file that is still being
    looked for may have been the removed one: in its place, an older one must not leave.
    """
    for found in await work.unit.enclosures.by_event(event_id):
        enclosure, draft = await _locked(work.unit, found.id)
        if enclosure is not None:
            await _do_without(work, enclosure, draft, "its message was removed from the room.")
    for row in await work.unit.outbox.in_state(OutboxState.PENDING):
        number, wish = wish_of(row.payload or "") if row.kind == FETCH.name else (0, None)
        if wish is None or wish.file is not None or wish.agent != by:
            continue
        enclosure, draft = await _locked(work.unit, number)
        if enclosure is not None and enclosure.size is None:
            await _do_without(work, enclosure, draft, _PERHAPS_REMOVED)


def _refuse_where_none_can(ticket: Ticket, held: Message | None) -> None:
    if ticket.closed_at is not None:
        raise Refusal(f"Ticket {ticket.id} is closed. `!reopen` it first.")
    if not ticket.contact:
        raise Refusal("The user left no address, so no file can be sent.")
    if held is not None and path_of(held) in IN_CLEAR:
        raise Refusal("The held answer leaves in clear at an agent's word: no file can leave with it.")


async def _there(unit: Unit, ticket: Ticket, held: Message | None) -> Sequence[OutgoingFile]:
    of_held = await unit.enclosures.of(held) if held is not None else ()
    return [*of_held, *await unit.enclosures.waiting(ticket)]


async def _locked(unit: Unit, enclosure_id: int) -> tuple[OutgoingFile | None, Message | None]:
    """Return a file and its answer, the ticket locked first, as everywhere."""
    found = await unit.enclosures.get(enclosure_id)
    if found is None:
        return None, None
    await unit.tickets.get(found.ticket_id, lock=True)
    found = await unit.enclosures.get(enclosure_id)
    draft = await locked(unit, found.message_id) if found is not None and found.message_id else None
    return found, draft


async def _unfit(work: Work, enclosure: OutgoingFile, draft: Message | None, file: Fetched) -> str:
    others = [each for each in await _there(work.unit, enclosure.ticket, draft) if each is not enclosure]
    if any(each.event_id == file.event_id for each in others):
        return "that file is attached already."
    if sum(each.size or 0 for each in others) + len(file.content) > work.config.replies.files_size:
        most = size_words(work.config.replies.files_size)
        return f"the files of one answer can have {most} together at most."
    return ""


async def _do_without(work: Work, enclosure: OutgoingFile, draft: Message | None, why: str) -> None:
    """Forget a file and say why; an answer that was to have it waits for a person's word."""
    ticket = enclosure.ticket
    await work.unit.enclosures.drop(enclosure)
    words = f"NOT attached: {why}"
    if draft is not None and draft.state in OPEN_REPLY:
        words += " The answer stays here: `!send` it without that file, or `!cancel` it."
        draft.state = ReplyState.STALE
        await files.list_on(work.unit, draft)
        await previews.show_state(work, draft)
        await _call_author(work, draft, words)
        return
    if draft is not None:
        words += " An answer with that file does not leave, unless it is leaving at this moment."
    await answer_in_thread(work, ticket, words)


async def _call_author(work: Work, draft: Message, words: str) -> None:
    """Nobody else knows that the answer waits; where its author has gone, the ticket's agents are called."""
    if draft.author in work.config.agents:
        await mention(work, draft.ticket, [draft.author], words)
    else:
        await call(work, draft.ticket, words)


async def _hold_anew(work: Work, held: Message) -> None:
    """Stop the hold; it begins again when the preview shows what leaves by now, and all of it is here."""
    held.hold_until = None
    await files.list_on(work.unit, held)
    await previews.show_state(work, held)


FETCH = Kind("enclosure", lifetime=15 * MINUTE, failed=give_up)
