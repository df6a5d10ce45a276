# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters on their way from the shelf to tickets, with a real keyring and database."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mail.openpgp.keyring import Keyring
from mail.workers.letter_queue import MOST_TRIES
from mail.workers.letters import LetterWorker
from storage.models import LetterState, OutboxState
from storage.sealing.vault import Vault, address_tag
from storage.unit import Units
from tests.mail.people import CRLF, Person, encrypted, entity, headers, signed
from tests.worlds.mail import MailDesk, SlowOpener, mail_desk_at

SAMPLES = Path(__file__).parent.parent.parent / "mails" / "whisperback"
BOMB = b"From: a@b.example\r\n" + b"X: y\r\n" * 60_000 + b"\r\nhi\r\n"


@pytest.fixture(scope="module", name="keyring")
def make_keyring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyring]:
    home = tmp_path_factory.mktemp("keys")
    home.chmod(0o700)
    keyring = Keyring(home, passphrase=None)
    keyring.import_secret_key((SAMPLES / "TEST-ONLY-helpdesk-secret-key.asc").read_bytes())
    yield keyring
    keyring.close()


@pytest.fixture(name="office")
async def make_office(shaped: str, keyring: Keyring) -> AsyncIterator[MailDesk]:
    async with mail_desk_at(shaped, keyring) as office:
        yield office


async def kinds(office: MailDesk) -> list[str]:
    async with office.units() as unit:
        return [row.kind for row in await unit.outbox.in_state(OutboxState.PENDING)]


async def said(office: MailDesk) -> str:
    async with office.units() as unit:
        return "\n".join(row.payload or "" for row in await unit.outbox.in_state(OutboxState.PENDING))


async def test_a_report_becomes_one_ticket_that_is_announced(office: MailDesk) -> None:
    letter = await office.take_in((SAMPLES / "01-new-en-wifi-large.eml").read_bytes())
    assert (letter.state, letter.reason) == (LetterState.TICKET, "")
    assert await kinds(office) == ["announce", "ping"]
    async with office.units() as unit:
        [ticket] = await unit.tickets.open_in(None)
        assert (ticket.contact, ticket.confidential, ticket.tails_version) == (
            "alice.sample@example.org",
            True,
            "6.9",
        )
        assert len(await unit.keys.of(address_tag(unit.vault, "alice.sample@example.org"))) == 1


async def test_a_letter_that_is_done_is_not_taken_in_again(office: MailDesk) -> None:
    letter = await office.take_in(headers("a@b.example") + entity("hi"))
    await office.worker().work(letter.id)
    async with office.units() as unit:
        assert len(await unit.tickets.open_in(None)) == 1


async def test_a_letter_that_cannot_be_opened_is_put_aside_with_its_reason(office: MailDesk) -> None:
    letter = await office.take_in(BOMB)
    assert letter.state is LetterState.QUARANTINED
    assert "headers" in (letter.reason or "")
    assert f"Letter {letter.id} is in quarantine" in await said(office)


async def test_a_senders_stored_key_makes_the_next_signature_good(office: MailDesk, alice: Person) -> None:
    key = entity(alice.public.decode(), type_="application/pgp-keys")
    desk_key = office.keyring.export_public_key(office.config.queue("help").fingerprint)
    first = headers(alice.address) + encrypted(alice.encrypt(key, desk_key))
    await office.take_in(first)
    second = headers(alice.address).replace(b"m1@", b"m2@") + signed(alice, entity("hi"))
    letter = await office.take_in(second)
    async with office.units() as unit:
        ticket = await unit.tickets.get(letter.ticket_id or 0)
        assert ticket is not None
        assert ticket.signature == "good"


async def test_a_letter_that_stopped_the_process_thrice_is_put_aside(office: MailDesk) -> None:
    letter_id = await office.keep(headers("a@b.example") + entity("hi"))
    async with office.units() as unit:
        letter = await unit.letters.get(letter_id)
        assert letter is not None
        letter.tries = MOST_TRIES
    await office.worker().work(letter_id)
    letter = await office.letter(letter_id)
    assert (letter.state, letter.reason) == (
        LetterState.QUARANTINED,
        "internal error (3 attempts)",
    )


async def test_a_letter_on_which_our_code_fails_is_tried_thrice(office: MailDesk) -> None:
    letter_id = await office.keep(headers("a@b.example") + entity("hi"))
    async with office.units() as unit:
        room = await unit.rooms.of_queue("help")
        assert room is not None
        room.queue = "elsewhere"
    for tries in range(1, MOST_TRIES + 1):
        await office.worker().work(letter_id)
        letter = await office.letter(letter_id)
        assert letter.tries == tries
        assert letter.state is (LetterState.NEW if tries < MOST_TRIES else LetterState.QUARANTINED)
        office.clock.now = max(office.clock.now, letter.due_at)
    assert await kinds(office) == ["say"]


async def test_a_keyring_that_fails_costs_no_letter_and_is_told_once(
    office: MailDesk, tmp_path: Path, alice: Person
) -> None:
    desk_key = office.keyring.export_public_key(office.config.queue("help").fingerprint)
    raw = headers(alice.address) + encrypted(alice.encrypt(entity("x"), desk_key))
    letters = [await office.keep(raw, token=str(number)) for number in range(2)]
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o700)
    good, bad = Keyring(locked, passphrase="right" * 5), Keyring(locked, passphrase="wrong" * 5)
    try:
        good.import_secret_key((SAMPLES / "TEST-ONLY-helpdesk-secret-key.asc").read_bytes())
        good._agent.stop()
        worker = LetterWorker(office.place, office.opener(bad), parallel=2)
        for letter_id in letters:
            await worker.work(letter_id)
            letter = await office.letter(letter_id)
            assert (letter.state, letter.tries) == (LetterState.NEW, 0)
            assert letter.due_at > office.world.now()
        assert (await said(office)).count("Letters cannot be opened") == 1
    finally:
        bad._agent.stop()
    office.clock.now = letter.due_at
    await office.worker().work(letters[1])
    assert (await office.letter(letters[1])).state is LetterState.TICKET


async def test_a_wrong_master_key_costs_no_letter_and_is_told_once(office: MailDesk) -> None:
    letters = [
        await office.keep(headers("a@b.example") + entity("hi"), token=str(number)) for number in range(2)
    ]
    units = Units(office.units.engine, Vault(b"w" * 32))
    worker = LetterWorker(replace(office.place, units=units), office.opener(), parallel=2)
    for letter_id in letters:
        await worker.work(letter_id)
    async with units() as unit:
        rows = await unit.outbox.in_state(OutboxState.PENDING)
        assert [row.payload.count("the master key here") for row in rows if row.payload] == [1]
    letter = await office.letter(letters[0])
    assert (letter.state, letter.tries) == (LetterState.NEW, 0)
    assert letter.due_at > office.world.now()


async def test_letters_do_not_wait_for_a_clock_that_was_set_back(office: MailDesk) -> None:
    new, tried = [await office.keep(headers("a@b.example") + entity(each)) for each in ("one", "two")]
    other_key = Units(office.units.engine, Vault(b"w" * 32))
    await LetterWorker(replace(office.place, units=other_key), office.opener(), parallel=2).work(tried)
    office.clock.now -= dt.timedelta(minutes=20)
    await office.worker().work(tried)
    assert (await office.letter(tried)).state is LetterState.NEW
    office.clock.now -= dt.timedelta(minutes=20)
    for letter_id in (new, tried):
        await office.worker().work(letter_id)
        assert (await office.letter(letter_id)).state is LetterState.TICKET


async def test_a_stop_costs_a_letter_no_try(office: MailDesk) -> None:
    letter_id = await office.keep(headers("a@b.example") + entity("hi"))
    opener = SlowOpener(office.keyring, office.workshop)
    working = asyncio.create_task(LetterWorker(office.place, opener, parallel=2).work(letter_id))
    await opener.began.wait()
    assert (await office.letter(letter_id)).tries == 1
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    letter = await office.letter(letter_id)
    assert (letter.state, letter.tries) == (LetterState.NEW, 0)


async def test_one_mail_to_two_addresses_at_once_makes_one_ticket(office: MailDesk) -> None:
    raw = headers("a@b.example") + entity("hi")
    letters = [await office.keep(raw, token=str(number)) for number in range(4)]
    worker = office.worker()
    await asyncio.gather(*(worker.work(letter_id) for letter_id in letters))
    states = sorted([(await office.letter(letter_id)).state for letter_id in letters])
    assert states == [*[LetterState.DROPPED] * 3, LetterState.TICKET]


async def test_our_own_mail_that_comes_back_is_dropped(office: MailDesk) -> None:
    letter = await office.take_in(headers("Help Desk <HELP@desk.example>") + entity("hi"))
    assert (letter.state, letter.reason) == (LetterState.DROPPED, "our own mail came back")


async def test_running_takes_what_is_there_and_what_comes(office: MailDesk) -> None:
    def raw(number: int) -> bytes:
        return headers("a@b.example").replace(b"m1@", f"m{number}@".encode()) + entity(f"hi{CRLF}")

    before = [await office.keep(raw(number)) for number in range(5)]
    running = asyncio.create_task(office.worker().run())
    try:
        async with asyncio.timeout(30):
            later = await office.keep(raw(9))
            while await _new_letters(office.units):  # noqa: ASYNC110 - nothing rings when all is done
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
    states = {(await office.letter(letter_id)).state for letter_id in [*before, later]}
    assert states == {LetterState.TICKET}
    async with office.units() as unit:
        assert len(await unit.tickets.open_in(None)) == 6


async def _new_letters(units: Units) -> int:
    async with units() as unit:
        return (await unit.letters.counts()).get(LetterState.NEW, 0)
