# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters in quarantine, opened for those who asked, and taken in when somebody says so."""

from collections.abc import AsyncIterator, Iterator
from functools import partial

import pytest

from desk.quarantine import letters
from desk.quarantine.letters import TakeInRequest
from mail.limits import Allowance
from mail.workers.quarantine import QuarantineReader
from storage.models import LetterState, OutboxState
from tests.mail.people import Desk, Person, desk, encrypted, entity, headers
from tests.worlds.desk import delivery_of
from tests.worlds.mail import AGENT, MailDesk, mail_desk_at

BOMB = b"From: a@b.example\r\n" + b"X: y\r\n" * 60_000 + b"\r\nhi\r\n"
AWAY = "Auto-Submitted: auto-replied"


@pytest.fixture(scope="module", name="desk")
def make_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk(tmp_path_factory.mktemp("keys") / "desk") as made:
        yield made


@pytest.fixture(name="office")
async def make_office(shaped: str, desk: Desk) -> AsyncIterator[MailDesk]:
    async with mail_desk_at(shaped, desk.keyring) as office:
        yield office


async def shown(office: MailDesk, number: int) -> str:
    """Have a letter shown; return what is said of it, payload by payload."""
    async with office.units() as unit:
        room = await unit.rooms.of_operators()
        assert room is not None
        letter = await letters.seen_from(unit, room, number)
        await letters.ask_to_show(office.work(unit), letter, room, None)
    reader = QuarantineReader(office.place, office.opener())
    delivery = delivery_of(office.place, {letters.SHOW: reader})
    await delivery._drain_lane(f"{letters.SHOW.name}:{room.id}")
    async with office.units() as unit:
        rows = await unit.outbox.in_state(OutboxState.PENDING)
        return "\n".join(row.payload or "" for row in rows if "in quarantine," in (row.payload or ""))


async def release(office: MailDesk, number: int) -> None:
    async with office.units() as unit:
        room = await unit.rooms.of_operators()
        assert room is not None
        letter = await letters.seen_from(unit, room, number)
        await letters.release(office.work(unit), letter, TakeInRequest(AGENT, room, None))
    await office.worker().work(number)


async def test_an_encrypted_letter_is_shown_decrypted_and_stays_aside(
    office: MailDesk, desk: Desk, alice: Person
) -> None:
    sealed = encrypted(alice.encrypt(entity("secret words"), desk.public))
    letter = await office.take_in(headers(alice.address, "...", AWAY) + sealed)
    assert letter.state is LetterState.QUARANTINED
    said = await shown(office, letter.id)
    assert "secret words" in said
    assert "Protection: Encrypted." in said
    assert (await office.letter(letter.id)).state is LetterState.QUARANTINED
    await release(office, letter.id)
    assert (await office.letter(letter.id)).state is LetterState.TICKET
    async with office.units() as unit:
        [ticket] = await unit.tickets.open_in(None)
        assert ticket.confidential


async def test_a_letter_that_cannot_be_opened_says_why_and_a_release_does_not_lose_it(
    office: MailDesk,
) -> None:
    letter = await office.take_in(BOMB)
    said = await shown(office, letter.id)
    assert "It cannot be opened: The letter has more than 256 KB of headers." in said
    assert '"name":"letter-1.eml.txt"' in said
    await release(office, letter.id)
    letter = await office.letter(letter.id)
    assert (letter.state, letter.released_by) == (LetterState.QUARANTINED, None)


async def test_a_letter_is_judged_again_by_what_holds_now_whatever_is_killed_meanwhile(
    office: MailDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    letter = await office.take_in(BOMB)
    assert letter.state is LetterState.QUARANTINED
    await recheck(office, letter.id)
    await office.worker().work(letter.id)
    assert (await office.letter(letter.id)).state is LetterState.QUARANTINED
    monkeypatch.setattr("mail.mime.parts.Allowance", partial(Allowance, header_bytes=10_000_000))
    await recheck(office, letter.id)
    # Whoever begins it and is killed leaves it for the next.
    assert await office.worker()._queue.begin(letter.id) is not None
    await office.worker()._queue.open()
    await office.worker().work(letter.id)
    letter = await office.letter(letter.id)
    assert (letter.state, letter.ticket_id, letter.tries) == (LetterState.TICKET, 1, 2)
    await office.worker().work(letter.id)
    async with office.units() as unit:
        assert len(await unit.tickets.open_in(None)) == 1
        rows = await unit.outbox.in_state(OutboxState.PENDING)
        said = [row.payload or "" for row in rows]
    assert len([each for each in said if "is in quarantine as before: The letter has more than" in each]) == 1
    assert len([each for each in said if "Letter 1 has become ticket 1." in each]) == 1


async def recheck(office: MailDesk, number: int) -> None:
    async with office.units() as unit:
        room = await unit.rooms.of_operators()
        assert room is not None
        letter = await letters.seen_from(unit, room, number)
        await letters.recheck(office.work(unit), letter, room, None)
