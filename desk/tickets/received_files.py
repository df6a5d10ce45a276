# SPDX-License-Identifier: AGPL-3.0-or-later
"""Files that users sent: listed with numbers, and shown in the ticket's thread one by one when asked for."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from desk.context import Work
from desk.outbox.kinds import Kind
from desk.outbox.posts import answer_in_thread, finish, home_of, lane_of, put
from desk.outbox.ranks import Rank
from desk.sizes import size_words
from desk.tickets.details import LetterDetails
from desk.world import Refusal
from storage.models import MessageKind, Outbox, OutboxState, Ticket
from storage.sealing.columns import to_json
from storage.unit import Unit

SHOW_FILE = Kind("received.show")
"""The kind of outbox row that has a file opened and shown."""
LARGEST = 20_000_000
"""Bytes of a file that is shown in a room."""
MOST = 5
"""Files that one command may ask for."""
_LONGEST_NAME = 100


@dataclass(frozen=True)
class ReceivedFile:
    """One file as the letter described it when it was opened."""

    number: int
    """Counted through all letters of the ticket, from 1."""
    letter: int | None
    index: int
    """Its place among the files of its letter, from 0."""
    name: str
    type: str
    size: int
    danger: str

    @property
    def line(self) -> str:
        """How it is listed."""
        name = " ".join(self.name.split())[:_LONGEST_NAME]
        danger = f": {self.danger}, only with --dangerous" if self.danger else ""
        return f"{self.number}  {name} ({self.type[:_LONGEST_NAME]}, {size_words(self.size)}){danger}"


@dataclass(frozen=True)
class FileRequest:
    """Which file a row shows."""

    letter: int
    index: int
    name: str
    size: int
    dangerous: bool = False
    """Whether it is wanted though it may harm whoever opens it."""


async def files_of(unit: Unit, ticket: Ticket) -> Sequence[ReceivedFile]:
    """Return the files of all letters of a ticket, oldest first."""
    found: list[ReceivedFile] = []
    for message in await unit.messages.of(ticket):
        if message.kind is not MessageKind.IN:
            continue
        for index, file in enumerate(LetterDetails.load(message).attachments):
            number = len(found) + 1
            found.append(
                ReceivedFile(number, message.letter_id, index, file.name, file.type, file.size, file.danger)
            )
    return found


async def ask(work: Work, ticket: Ticket, numbers: Sequence[int], *, dangerous: bool = False) -> None:
    """Have files shown in the ticket's thread.

    Raises Refusal for a number that there is not, a file that is too large or gone, and a dangerous one
    unless `dangerous` was said.
    """
    if len(numbers) > MOST:
        raise Refusal(f"At most {MOST} files at a time.")
    known = {file.number: file for file in await files_of(work.unit, ticket)}
    if not known:
        raise Refusal(f"Nobody has sent a file in ticket {ticket.id}.")
    wanted = [_chosen(known, number, dangerous=dangerous) for number in numbers]
    room = await home_of(work.unit, ticket)
    for file in wanted:
        payload = to_json(asdict(FileRequest(file.letter or 0, file.index, file.name, file.size, dangerous)))
        await put(work, SHOW_FILE, lane_of(room, Rank.ANSWER), payload, room=room.id, ticket=ticket.id)


def _chosen(known: dict[int, ReceivedFile], number: int, *, dangerous: bool) -> ReceivedFile:
    file = known.get(number)
    if file is None:
        raise Refusal(f"There is no file {number}: `!files` lists them, from 1 to {len(known)}.")
    if file.letter is None:
        raise Refusal(f"File {number} is not kept any more.")
    if file.size > LARGEST:
        raise Refusal(f"File {number} is larger than {size_words(LARGEST)}, too large for a room.")
    if file.danger and not dangerous:
        raise Refusal(
            f"File {number} is dangerous ({file.danger}). Whoever opens it may run what a stranger wrote. "
            f"`!file {number} --dangerous` shows it all the same."
        )
    return file


def file_request_of(payload: str) -> FileRequest:
    """Return what a row shows."""
    return FileRequest(**json.loads(payload))


async def cannot_show(work: Work, row: Outbox, why: str) -> None:
    """End a row and say in the thread why its file is not shown."""
    if row.state is not OutboxState.PENDING:
        return
    wanted = file_request_of(row.payload or "{}")
    finish(work.world, row, OutboxState.SENT)
    ticket = await work.unit.tickets.get(row.ticket_id or 0)
    if ticket is not None:
        name = " ".join(wanted.name.split())[:_LONGEST_NAME]
        await answer_in_thread(work, ticket, f"The file {name} is not shown: {why}")
