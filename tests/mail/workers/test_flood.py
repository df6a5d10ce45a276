# SPDX-License-Identifier: AGPL-3.0-or-later
"""A mail bomb: what is beyond the rate waits for its turn, and other people's letters do not."""

import datetime as dt
from collections.abc import AsyncIterator, Iterator

import pytest

from desk.config import Rate
from desk.outbox.posts import say_from_json
from desk.quarantine import letters as quarantine
from desk.quarantine.letters import TakeInRequest
from storage.models import LetterState, OutboxState
from tests.mail.people import Desk, desk, entity
from tests.worlds.desk import with_intake
from tests.worlds.mail import AGENT, MailDesk, mail_desk_at

EVE, KIM, RELAY = "eve@bomb.example", "kim@user.example", "relay@user.example"
LIST = "list-bounce@lists.example"
HOUR = dt.timedelta(hours=1)


@pytest.fixture(scope="module", name="desk")
def make_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk(tmp_path_factory.mktemp("keys") / "desk") as made:
        yield made


@pytest.fixture(name="office")
async def make_office(shaped: str, desk: Desk) -> AsyncIterator[MailDesk]:
    async with mail_desk_at(shaped, desk.keyring) as office:
        office.config = with_intake(
            office.config, rate=Rate(per_sender=2, in_all=6, exempt=(RELAY,), per_crowd=4, crowds=(LIST,))
        )
        yield office


async def comes(office: MailDesk, sender: str, many: int = 1) -> list[int]:
    """Let letters come."""
    found = []
    for _ in range(many):
        lines = f"From: {sender}\r\nSubject: x\r\nMessage-ID: <{office.world.token()}@b.example>\r\n"
        found.append(await office.keep(lines.encode() + entity("hi"), mail_from=sender))
    return found


async def work(office: MailDesk, letters: list[int]) -> list[int]:
    """Open what is due; return the letters that wait still."""
    worker = office.worker()
    for letter in letters:
        await worker.work(letter)
    return [each for each in letters if (await office.letter(each)).state is LetterState.NEW]


async def told(office: MailDesk) -> list[str]:
    """Return what operators were told, and forget it."""
    async with office.units() as unit:
        room = await unit.rooms.of_operators()
        rows = [
            row for row in await unit.outbox.in_state(OutboxState.PENDING) if room and row.room == room.id
        ]
        for row in rows:
            row.state = OutboxState.SENT
        return [say_from_json(row.payload or "").text for row in rows]


async def test_a_sender_s_letters_beyond_the_rate_wait_and_all_are_taken_in(office: MailDesk) -> None:
    bomb = await comes(office, EVE, 5)
    assert await work(office, bomb) == bomb[2:]
    dues = [(await office.letter(each)).due_at - office.world.now() for each in bomb[2:]]
    assert dues == [HOUR, HOUR, 2 * HOUR]
    [words] = await told(office)
    assert words.startswith(
        "More letters come than are taken in: 2 an hour from one sender, 6 an hour in all."
    )
    assert EVE not in words
    assert await work(office, await comes(office, KIM)) == []
    assert await work(office, bomb) == bomb[2:]
    office.clock.now += HOUR
    assert await work(office, bomb) == bomb[4:]
    assert await told(office) == []
    office.clock.now += HOUR
    assert await work(office, bomb) == []
    assert await told(office) == ["The flood of letters is over: none waits for its turn any more."]
    async with office.units() as unit:
        found = await unit.accounting.census(office.world.now() - 5 * HOUR, office.world.now() + HOUR)
        assert (found.received, found.lost, found.counts) == (6, (), {LetterState.TICKET: 6})


async def test_a_second_flood_is_told_again(office: MailDesk) -> None:
    for _ in range(2):
        bomb = await comes(office, EVE, 3)
        await work(office, bomb)
        office.clock.now += HOUR
        await work(office, bomb)
        assert len(await told(office)) == 2
        office.clock.now += HOUR


async def test_all_senders_together_have_a_rate_too(office: MailDesk) -> None:
    many = [letter for number in range(8) for letter in await comes(office, f"eve{number}@bomb.example")]
    assert await work(office, many) == many[6:]
    assert len(await told(office)) == 1
    office.clock.now += HOUR
    assert await work(office, many) == []


@pytest.mark.parametrize("sender", [RELAY, "help@desk.example"])
async def test_relays_and_the_desk_s_own_address_count_in_all_only(office: MailDesk, sender: str) -> None:
    letters = await comes(office, sender, 7)
    assert await work(office, letters) == letters[6:]


async def test_a_list_has_a_higher_rate_of_its_own_and_does_not_fill_that_of_all(office: MailDesk) -> None:
    letters = await comes(office, LIST, 6)
    assert await work(office, letters) == letters[4:]
    assert await work(office, await comes(office, KIM)) == []


async def test_the_null_sender_is_one_sender(office: MailDesk) -> None:
    letters = await comes(office, "", 3)
    assert await work(office, letters) == letters[2:]


async def test_what_a_person_releases_does_not_wait(office: MailDesk) -> None:
    letters = await comes(office, "", 2)
    await work(office, letters)
    async with office.units() as unit:
        room = await unit.rooms.of_operators()
        assert room is not None
        letter = await quarantine.seen_from(unit, room, letters[0])
        await quarantine.release(office.work(unit), letter, TakeInRequest(AGENT, room, None))
    await work(office, letters[:1])
    assert (await office.letter(letters[0])).state is LetterState.TICKET


async def test_without_a_rate_nobody_waits(office: MailDesk) -> None:
    office.config = with_intake(office.config, rate=None)
    assert await work(office, await comes(office, EVE, 9)) == []
    assert await told(office) == []
