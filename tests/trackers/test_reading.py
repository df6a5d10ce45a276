# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reading issues for tickets: what the thread is told, and what is kept."""

import datetime as dt
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from desk.context import Work, Workplace
from desk.outbox.outcomes import Delivered, Impossible, Later, OutboxItem, Outcome
from desk.outbox.posts import SAY, Say, put, say_from_json
from desk.problems.links import READ
from desk.world import World
from storage.engine.connect import open_engine
from storage.migrating import migrate
from storage.models import OutboxState, Room, RoomPurpose, RoomState, Side, Ticket
from storage.sealing.vault import Vault
from storage.unit import Units
from tests.worlds.desk import CONFIG, delivery_of
from trackers.reading import IssueReader
from trackers.tracker import Issue, NoSuchIssue, TrackerDown, TrackerTrouble

NOW = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
numbers = itertools.count(1)
WORLD = World(now=lambda: NOW, token=lambda: f"token{next(numbers)}")
ISSUE = Issue(
    12, "Wi-Fi @room", "Resolved", closed=True, target_version="7.1", url="http://127.0.0.1/issues/12"
)


@dataclass
class Told:
    """A tracker that gives one answer."""

    answer: Issue | TrackerTrouble
    name: str = "Redmine"

    async def read(self, issue: int) -> Issue:
        """Give it."""
        assert issue == 12
        if isinstance(self.answer, TrackerTrouble):
            raise self.answer
        return self.answer


@pytest.fixture
async def units(database: str) -> AsyncIterator[Units]:
    """A database with ticket 1, linked to issue 12."""
    units = Units(open_engine(database), Vault(bytes(32)))
    await migrate(units.engine)
    async with units() as unit:
        await unit.rooms.add(
            Room(ref="room", purpose=RoomPurpose.QUEUE, queue="en", ticket_id=None, state=RoomState.OPEN)
        )
        ticket = Ticket(
            ref="ticket", queue="en", mailbox="en", language="en", opened_at=NOW, last_public=Side.USER,
            last_public_at=NOW, confidential=True, encryption="ok", signature="none", kind="mail",
            reply_tag="tag", tags=[], links=[],
        )  # fmt: skip
        ticket.take_new_key(units.vault)
        unit._session.add(ticket)
        await unit.flush()
        await unit.problems.link(ticket, 12, by="@ana:example.org", at=NOW)
    yield units
    await units.close()


def parcel(*, tries: int = 0, payload: str = '{"issue": 12}') -> OutboxItem:
    """The row that asks for issue 12."""
    return OutboxItem(7, "ref", "problem.read", payload, None, 1, None, tries, dt.timedelta())


async def read(units: Units, tracker: Told | None, row: OutboxItem) -> tuple[Outcome, list[Say]]:
    """Carry one row; return what came of it and what the thread is told."""
    outcome = await IssueReader(Workplace(units, WORLD, CONFIG), tracker).read(row)
    async with units() as unit:
        rows = [await unit.outbox.get(number) for number in range(1, 5)]
        return outcome, [say_from_json(row.payload or "") for row in rows if row is not None]


async def test_an_issue_is_kept_and_told_as_a_quotation(units: Units) -> None:
    outcome, [said] = await read(units, Told(ISSUE), parcel())
    assert outcome == Delivered()
    assert said.text == "#12 http://127.0.0.1/issues/12"
    assert said.quote == "Wi-Fi @room\nStatus: Resolved (closed)\nTarget version: 7.1"
    assert (said.thread, said.mentions) == ("ticket", ())
    async with units() as unit:
        problem = await unit.problems.by_issue(12)
        assert problem is not None
        assert (problem.subject, problem.status, problem.target_version) == ("Wi-Fi @room", "Resolved", "7.1")
        assert problem.read_at == NOW


async def test_a_dead_tracker_is_told_once_and_asked_again(units: Units) -> None:
    dead = Told(TrackerDown("Redmine does not answer."))
    first, said = await read(units, dead, parcel())
    again, said_again = await read(units, dead, parcel(tries=1))
    assert first == again == Later("Redmine does not answer.")
    assert [one.text for one in said_again] == [one.text for one in said]
    assert said[0].text == (
        "The link to #12 is kept, but the issue could not be read. Redmine does not answer. I try again."
    )


async def test_an_issue_that_is_not_there_is_told_and_not_parked(units: Units) -> None:
    outcome, [said] = await read(units, Told(NoSuchIssue("no")), parcel())
    assert outcome == Delivered()
    assert said.text.startswith("Redmine has no issue #12")


async def test_without_a_tracker_the_link_is_kept(units: Units) -> None:
    outcome, [said] = await read(units, None, parcel())
    assert outcome == Delivered()
    assert said.text == "Linked to #12. The config names no tracker to read it from."


@pytest.mark.parametrize("payload", ["", "{}", '{"issue": "x"}', "[]", '{"issue": -1}'])
async def test_a_row_without_issue_is_impossible(units: Units, payload: str) -> None:
    outcome, said = await read(units, Told(ISSUE), parcel(payload=payload))
    assert outcome == Impossible("The row names no issue.")
    assert said == []


@pytest.mark.parametrize("answer", [ISSUE, NoSuchIssue("no"), TrackerDown("Redmine does not answer.")])
async def test_a_crash_right_after_the_thread_was_told_has_it_told_once(
    units: Units, answer: Issue | TrackerTrouble
) -> None:
    reader = IssueReader(Workplace(units, WORLD, CONFIG), Told(answer))
    async with units() as unit:
        row = await put(Work(unit, WORLD, CONFIG), READ, "problem:1", '{"issue": 12}', ticket=1)
        await unit.flush()
        number = row.id
    await reader.read(
        OutboxItem(number, row.ref, READ.name, '{"issue": 12}', None, 1, None, 0, dt.timedelta())
    )
    # Here the process dies: nobody notes what came of it, and the next one looks into the outbox.
    carried: list[OutboxItem] = []

    async def carry(parcel: OutboxItem) -> Outcome:
        carried.append(parcel)
        return await reader.read(parcel) if parcel.kind == READ.name else Delivered()

    await delivery_of(Workplace(units, WORLD, CONFIG), {READ: carry, SAY: carry}).drain()
    assert [parcel.kind for parcel in carried].count("say") == 1
    async with units() as unit:
        found = await unit.outbox.get(number)
        assert found is not None
        is_open = isinstance(answer, TrackerDown)
        assert found.state is (OutboxState.PENDING if is_open else OutboxState.SENT)


async def test_an_issue_to_which_nothing_is_linked_any_more_is_not_asked_for(units: Units) -> None:
    async with units() as unit:
        ticket = await unit.tickets.get(1)
        assert ticket is not None
        assert await unit.problems.unlink(ticket, 12)
    assert await read(units, Told(TrackerTrouble("Redmine is away.")), parcel()) == (Delivered(), [])
