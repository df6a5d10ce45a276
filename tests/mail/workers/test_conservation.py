# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every way a letter can end leaves the trace that the daily check looks for."""

import datetime as dt
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from desk.monitoring.accounting import _WORDS, check_yesterday
from mail.openpgp.keyring import Keyring
from storage.models import LetterState, OutboxState
from tests.mail.people import entity, headers
from tests.worlds.mail import MailDesk, mail_desk_at

SAMPLES = Path(__file__).parent.parent.parent / "mails" / "whisperback"
AUTOMATIC = b"Auto-Submitted: auto-replied\r\n"


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


def written(number: int, *, by: str = "a@b.example", above: bytes = b"") -> bytes:
    """A letter with a Message-ID of its own."""
    return above + headers(by).replace(b"m1@", f"m{number}@".encode()) + entity(f"hi {number}")


async def test_whatever_intake_makes_of_letters_adds_up(office: MailDesk) -> None:
    first = await office.take_in(written(1))
    async with office.units() as unit:
        ticket = await unit.tickets.get(first.ticket_id or 0)
        token = unit.vault.reply_token(ticket.ref)
    ends = [
        first,
        await office.take_in(written(2), token=token),
        await office.take_in(written(3, above=AUTOMATIC), token=token),
        await office.take_in(written(4, above=AUTOMATIC)),
        await office.take_in(written(5, by="help@desk.example")),
        await office.take_in(written(1), token="another"),
        await office.take_in(b"From: a@b.example\r\n" + b"X: y\r\n" * 60_000 + b"\r\nhi\r\n"),
        await office.letter(await office.keep(written(6))),
    ]
    assert {one.state for one in ends} == set(LetterState)
    office.clock.now += dt.timedelta(days=1)
    async with office.units() as unit:
        found = await check_yesterday(office.work(unit))
        said = [row.payload or "" for row in await unit.outbox.in_state(OutboxState.PENDING)]
    assert found is not None
    assert (found.received, found.lost, found.orphans) == (len(ends), (), 0)
    assert sum(found.counts.values()) == len(ends)
    assert not any("do not add up" in words for words in said)


def test_every_state_has_its_place_in_the_sum() -> None:
    assert {state for state, _ in _WORDS} == set(LetterState)
