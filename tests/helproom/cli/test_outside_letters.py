# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters that stay in a real mailbox until somebody releases or drops them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from storage.models import LetterState
from tests.helproom.jobs.test_mailboxes import (
    OURS,
    Office,
    is_killed_before_moving,
    post,
    running,
    settings_for,
)
from tests.mail.mailboxes import another_client, letter, lies_in
from tests.services.mailhost import Dovecot
from tests.worlds.desk import Desk, desk_at

LARGE = letter("large", to=OURS, body=b"x" * 25_000_000)


@pytest.fixture
def dovecot() -> Iterator[Dovecot]:
    with Dovecot() as server:
        yield server


@pytest.fixture
async def desk(shaped: str) -> AsyncIterator[Desk]:
    async with desk_at(shaped) as opened:
        yield opened


@pytest.fixture
def office(desk: Desk, dovecot: Dovecot, tmp_path: Path) -> Office:
    return Office(desk, settings_for(tmp_path, dovecot))


async def fetch(office: Office) -> None:
    """Look into all mailboxes, as after a start, until all that is to be done in them is done."""
    mailboxes = office.mailboxes()
    looked = [asyncio.Event() for _ in mailboxes.fetchers]
    for fetcher, event in zip(mailboxes.fetchers, looked, strict=True):
        fetcher._beat = event.set
    async with running(mailboxes), asyncio.timeout(20):
        for event in looked:
            await event.wait()


async def test_a_stray_letter_is_released_into_a_queue(office: Office, dovecot: Dovecot) -> None:
    post(dovecot, letter("other", to="nobody@example.org"), letter("stray", to="nobody@example.org"))
    await fetch(office)
    assert sorted(lies_in(dovecot, "Quarantined")) == ["other", "stray"]
    # Whatever its number becomes, it is found again.
    with another_client(dovecot) as client:
        client.create_folder("Elsewhere")
        client.select_folder("Quarantined")
        uids = client.search("ALL")
        client.move(uids, "Elsewhere")
        client.select_folder("Elsewhere")
        client.move(client.search("ALL"), "Quarantined")
    await office.desk.say("!quarantine release 2 en", where="ops")
    await fetch(office)
    left, released = await office.letters()
    assert (left.state, released.state) == (LetterState.QUARANTINED, LetterState.NEW)
    async with office.desk.units() as unit:
        raw = await unit.letters.raw(await unit.letters.get(2)) or b""
    assert b"Subject: stray" in raw
    assert (list(lies_in(dovecot, "Quarantined")), list(lies_in(dovecot, "Processed"))) == (
        ["other"],
        ["stray"],
    )


async def test_what_is_too_large_stays_with_its_reason_until_it_is_dropped(
    office: Office, dovecot: Dovecot
) -> None:
    post(dovecot, LARGE, letter("small", to=OURS))
    await fetch(office)
    assert list(lies_in(dovecot, "Quarantined")) == ["large"]
    await office.desk.say("!quarantine release 1")
    await fetch(office)
    assert any(
        "Letter 1 stays in mailbox main, in quarantine: it has 25.0 MB" in each
        for each in await office.told()
    )
    assert list(lies_in(dovecot, "Quarantined")) == ["large"]
    await office.desk.say("!quarantine drop 1", verified=True)
    await fetch(office)
    assert (list(lies_in(dovecot, "Quarantined")), list(lies_in(dovecot, "Processed"))) == ([], ["small"])
    assert [one.state for one in await office.letters()] == [LetterState.DROPPED, LetterState.NEW]


async def test_a_stop_between_taking_in_and_moving_doubles_nothing(office: Office, dovecot: Dovecot) -> None:
    post(dovecot, letter("stray", to="nobody@example.org"))
    await fetch(office)
    await office.desk.say("!quarantine release 1 en", where="ops")
    await is_killed_before_moving(office)
    async with office.desk.units() as unit:
        assert await unit.outside.of(1) is None
    await fetch(office)
    [one] = await office.letters()
    assert one.state is LetterState.NEW
    assert (list(lies_in(dovecot, "Quarantined")), list(lies_in(dovecot, "Processed"))) == ([], ["stray"])
    async with office.desk.units() as unit:
        assert await unit.outside.place_of(1) is None


async def test_one_that_somebody_took_away_is_told(office: Office, dovecot: Dovecot) -> None:
    post(dovecot, letter("stray", to="nobody@example.org"))
    await fetch(office)
    with another_client(dovecot) as client:
        client.select_folder("Quarantined")
        client.delete_messages(client.search("ALL"))
        client.expunge()
    await office.desk.say("!quarantine release 1 en", where="ops")
    await fetch(office)
    assert (
        "in quarantine: it is not in the folder for such letters there any more" in (await office.told())[-1]
    )


async def test_a_maildir_s_letters_are_had_and_deleted_alike(office: Office) -> None:
    box = office.settings.mail.maildirs[0].path
    (box / "new" / "a").write_bytes(b"")
    (box / "new" / "b").write_bytes(b"x" * 25_000_001)
    await fetch(office)
    assert sorted(file.name for file in (box / ".Quarantined" / "cur").iterdir()) == ["a", "b"]
    for number in (1, 2):
        await office.desk.say(f"!quarantine drop {number}", where="ops", verified=True)
    await fetch(office)
    assert list((box / ".Quarantined" / "cur").iterdir()) == []
    assert (await office.letters())[0].queue == "de"
