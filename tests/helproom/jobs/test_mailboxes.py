# SPDX-License-Identifier: AGPL-3.0-or-later
"""Mailboxes of a config, from a real server into a real database."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from helproom.checks.findings import CheckState, Finding
from helproom.checks.mailboxes import check_mailboxes
from helproom.config.settings import Settings, read_settings
from helproom.jobs.mailboxes import Mailboxes, open_mailboxes
from mail.inbound.mailbox import MailboxTrouble, Outcome, Waiting
from storage.models import Letter, LetterState
from tests.helproom.configs import write_config
from tests.mail.mailboxes import another_client, letter, lies_in
from tests.services.mailhost import PASSWORD, USER, Dovecot
from tests.worlds.desk import Desk, desk_at

OURS = "help+t0ken@example.org"


@pytest.fixture
def dovecot() -> Iterator[Dovecot]:
    with Dovecot() as server:
        yield server


@pytest.fixture
async def desk(shaped: str) -> AsyncIterator[Desk]:
    async with desk_at(shaped) as opened:
        yield opened


def settings_for(place: Path, dovecot: Dovecot, **otherwise: object) -> Settings:
    """A config with an IMAP mailbox and a Maildir."""
    secret = place / "imap.password"
    secret.touch(mode=0o600)
    secret.write_text(PASSWORD)
    (place / "box" / "new").mkdir(parents=True, exist_ok=True)
    keys = {
        "name": "main",
        "host": "127.0.0.1",
        "port": dovecot.imaps,
        "user": USER,
        "password_file": secret.name,
        "ca_file": dovecot.certificate.file,
        **otherwise,
    }
    imap = ", ".join(f"{key}: {value}" for key, value in keys.items())
    lines = f"mail:\n  imap: [{{{imap}}}]\n  maildirs: [{{name: local, path: box, queue: de, poll: 1s}}]\n"
    return read_settings(write_config(place, "mail:\n", lines))


@dataclass
class Office:
    """A desk whose mailboxes can be fetched from."""

    desk: Desk
    settings: Settings

    def mailboxes(self) -> Mailboxes:
        """Open the mailboxes anew, as after a restart."""
        return open_mailboxes(self.settings, self.desk.place)

    async def letters(self) -> list[Letter]:
        """Return all letters."""
        async with self.desk.units() as unit:
            found = [await unit.letters.get(number) for number in range(1, 10)]
        return [one for one in found if one is not None]

    async def told(self) -> list[str]:
        """Return what operators are told."""
        return [row.payload or "" for row in await self.desk.rows("say")]


@pytest.fixture
def office(desk: Desk, dovecot: Dovecot, tmp_path: Path) -> Office:
    return Office(desk, settings_for(tmp_path, dovecot))


@contextlib.asynccontextmanager
async def running(mailboxes: Mailboxes) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(fetcher.run()) for fetcher in mailboxes.fetchers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until_well(mailboxes: Mailboxes) -> None:
    async with asyncio.timeout(20):
        while not all(pulse.at for pulse in mailboxes.pulses):  # noqa: ASYNC110 - nothing rings
            await asyncio.sleep(0.01)


def post(dovecot: Dovecot, *letters: bytes) -> None:
    with another_client(dovecot) as client:
        for raw in letters:
            client.append("INBOX", raw)


async def test_letters_of_all_mailboxes_are_kept_for_their_queues(office: Office, dovecot: Dovecot) -> None:
    post(dovecot, letter("one", to=OURS))
    new = office.settings.mail.maildirs[0].path / "new"
    (new / "a").write_bytes(letter("two", to="anybody@else.example"))
    mailboxes = office.mailboxes()
    async with running(mailboxes):
        await until_well(mailboxes)
    kept = await office.letters()
    assert sorted((one.source, one.queue, one.state, one.reply_tag is None) for one in kept) == [
        ("imap", "en", LetterState.NEW, False),
        ("maildir", "de", LetterState.NEW, True),
    ]
    assert list(lies_in(dovecot, "Processed")) == ["one"]


async def is_killed_before_moving(office: Office) -> None:
    """Fetch until the first letter is about to be moved, and stop there."""
    mailboxes = office.mailboxes()

    def die(letter: Waiting, outcome: Outcome) -> None:
        raise MailboxTrouble("killed")

    mailboxes.fetchers[0]._mailbox.put_away = die
    async with running(mailboxes), asyncio.timeout(20):
        while mailboxes.pulses[0].trouble != "killed":  # noqa: ASYNC110 - nothing rings
            await asyncio.sleep(0.01)


async def test_a_stop_between_commit_and_move_doubles_nothing(office: Office, dovecot: Dovecot) -> None:
    post(dovecot, letter("one", to=OURS))
    for _ in range(2):
        await is_killed_before_moving(office)
        assert list(lies_in(dovecot, "INBOX")) == ["one"]
    mailboxes = office.mailboxes()
    async with running(mailboxes):
        await until_well(mailboxes)
    assert len(await office.letters()) == 1
    assert (list(lies_in(dovecot, "INBOX")), list(lies_in(dovecot, "Processed"))) == ([], ["one"])


async def test_a_refused_letter_is_told_once_with_its_reason(office: Office, dovecot: Dovecot) -> None:
    post(dovecot, letter("stray", to="nobody@example.org"))
    await is_killed_before_moving(office)
    await is_killed_before_moving(office)
    [told] = await office.told()
    assert "mailbox main was not taken in: it is for none of the queues' addresses. It is moved to" in told
    assert "nobody@" not in told


async def test_silence_is_watched(office: Office, dovecot: Dovecot) -> None:
    mailboxes = office.mailboxes()
    async with running(mailboxes):
        await until_well(mailboxes)
    await mailboxes.watch()
    assert await office.told() == []
    office.desk.clock.pass_by(minutes=16)
    await mailboxes.watch()
    await mailboxes.watch()
    assert [name in said for name, said in zip(("main", "local"), await office.told(), strict=True)] == [
        True,
        True,
    ]


async def test_the_config_decides_when_silence_is_told(desk: Desk, dovecot: Dovecot, tmp_path: Path) -> None:
    mailboxes = open_mailboxes(settings_for(tmp_path, dovecot), desk.place)
    assert mailboxes.silent_after == dt.timedelta(minutes=15)
    assert mailboxes.no_letter_after is None


async def findings(settings: Settings) -> list[Finding]:
    return [found async for found in check_mailboxes(settings)]


async def test_a_check_finds_all_well_and_makes_nothing(tmp_path: Path, dovecot: Dovecot) -> None:
    before, folder, local = await findings(settings_for(tmp_path, dovecot))
    server = f"127.0.0.1:{dovecot.imaps}"
    assert before == Finding("mailbox main", CheckState.OK, f"The IMAP server at {server} lets Helproom in.")
    assert folder.state is CheckState.WARNING
    assert "no folder Processed and Quarantined yet" in folder.sentence
    assert (local.part, local.state) == ("mailbox local", CheckState.OK)
    assert lies_in(dovecot, "Processed") == {}


@pytest.mark.parametrize(
    ("otherwise", "sentence"),
    [
        ({"user": "nobody@desk.example"}, "refuses the login (AUTHENTICATIONFAILED). Look at user and"),
        ({"port": 9}, "cannot be reached: Connection refused. Look at this mailbox in mail.imap"),
        ({"ca_file": "/etc/ssl/certs/ca-certificates.crt"}, "certificate is not trusted"),
        ({"ca_file": "missing.pem"}, "The ca_file does not exist."),
        ({"folder": "Elsewhere"}, "does not open the folder to fetch from"),
    ],
)
async def test_a_check_says_what_is_wrong_with_a_server(
    tmp_path: Path, dovecot: Dovecot, otherwise: dict[str, object], sentence: str
) -> None:
    imap, _ = await findings(settings_for(tmp_path, dovecot, **otherwise))
    assert imap.state is CheckState.PROBLEM
    assert sentence in imap.sentence


async def test_a_check_says_what_a_server_cannot_do(tmp_path: Path) -> None:
    with Dovecot(capability="IMAP4rev1") as poor:
        every = await findings(settings_for(tmp_path, poor))
    found = [one.sentence for one in every if one.state is CheckState.WARNING]
    assert "knows no IDLE, so new letters are looked for every 60 s" in found[0]
    assert "neither MOVE nor UIDPLUS" in found[1]


async def test_a_check_says_that_a_folder_is_no_maildir(tmp_path: Path, dovecot: Dovecot) -> None:
    settings = settings_for(tmp_path, dovecot)
    (tmp_path / "box" / "new").rmdir()
    local = (await findings(settings))[-1]
    assert local.state is CheckState.PROBLEM
    assert "There is no folder" in local.sentence
