# SPDX-License-Identifier: AGPL-3.0-or-later
"""A letter that a worker has begun is its own for a while, whichever process that is."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mail.openpgp.keyring import Keyring
from mail.workers.letter_queue import LetterQueue
from mail.workers.letters import LetterWorker
from storage.engine.troubles import StorageTrouble
from storage.models import LetterState
from storage.queries.letters import LEASE
from storage.unit import Unit, Units
from tests.mail.people import entity, headers
from tests.worlds.mail import MailDesk, SlowOpener, mail_desk_at

SAMPLES = Path(__file__).parent.parent.parent / "mails" / "whisperback"


class LossyUnits(Units):
    """Commits, and loses the word of it as often as told."""

    losses = 0

    @contextlib.asynccontextmanager
    async def __call__(self) -> AsyncIterator[Unit]:
        async with super().__call__() as unit:
            yield unit
        if self.losses:
            self.losses -= 1
            raise StorageTrouble("The connection was lost.")


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


async def a_letter(office: MailDesk) -> int:
    return await office.keep(headers("a@b.example") + entity("hi"))


async def test_while_one_opens_a_letter_nobody_else_does_and_the_slower_one_decides_nothing(
    office: MailDesk,
) -> None:
    letter_id = await a_letter(office)
    opener = SlowOpener(office.keyring, office.workshop)
    slow = asyncio.create_task(LetterWorker(office.place, opener, parallel=2).work(letter_id))
    await opener.began.wait()
    await office.worker().work(letter_id)
    letter = await office.letter(letter_id)
    assert (letter.state, letter.tries) == (LetterState.NEW, 1)
    office.clock.now += LEASE
    await office.worker().work(letter_id)
    assert (await office.letter(letter_id)).state is LetterState.TICKET
    opener.may_go_on.set()
    await slow
    async with office.units() as unit:
        assert len(await unit.tickets.open_in(None)) == 1


async def test_the_letters_of_a_worker_that_was_killed_are_taken_up_at_the_next_start(
    office: MailDesk,
) -> None:
    letter_id = await a_letter(office)
    assert await LetterQueue(office.place).begin(letter_id) is not None
    running = asyncio.create_task(office.worker().run())
    try:
        async with asyncio.timeout(30):
            while (await office.letter(letter_id)).state is LetterState.NEW:  # noqa: ASYNC110 - nothing rings
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
    letter = await office.letter(letter_id)
    assert (letter.state, letter.tries) == (LetterState.TICKET, 2)


async def test_a_clock_that_is_set_back_keeps_no_letter_for_long(office: MailDesk) -> None:
    letter_id = await a_letter(office)
    assert await LetterQueue(office.place).begin(letter_id) is not None
    office.clock.now -= dt.timedelta(minutes=1)
    assert await LetterQueue(office.place).begin(letter_id) is None
    office.clock.now -= dt.timedelta(hours=2)
    assert await LetterQueue(office.place).begin(letter_id) is not None


async def test_letters_whose_beginning_is_unclear_are_begun_anew_without_a_try(office: MailDesk) -> None:
    letter_id = await a_letter(office)
    units = LossyUnits(office.units.engine, office.units.vault)
    queue = LetterQueue(replace(office.place, units=units))
    units.losses = 1
    assert await queue._begin_some() == ()
    assert (await office.letter(letter_id)).tries == 1
    [begun] = await queue._begin_some()
    assert (begun.id, (await office.letter(letter_id)).tries) == (letter_id, 1)


async def test_what_was_decided_stands_though_the_word_of_it_was_lost(
    office: MailDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mail.workers.letters._STORAGE_PAUSE_SECONDS", 0.0)
    letter_id = await a_letter(office)
    units = LossyUnits(office.units.engine, office.units.vault)
    opener = SlowOpener(office.keyring, office.workshop)
    place = replace(office.place, units=units)
    working = asyncio.create_task(LetterWorker(place, opener, parallel=2).work(letter_id))
    await opener.began.wait()
    units.losses = 1
    opener.may_go_on.set()
    await working
    assert (await office.letter(letter_id)).state is LetterState.TICKET
    async with office.units() as unit:
        assert len(await unit.tickets.open_in(None)) == 1
