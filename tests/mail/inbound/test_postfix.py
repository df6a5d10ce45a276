# SPDX-License-Identifier: AGPL-3.0-or-later
"""A real Postfix before the LMTP door: nothing is lost, doubled or silently thrown away between them."""

import asyncio
import os
import smtplib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from helproom.demo.homeserver import free_port
from helproom.jobs.keeping import keeper
from mail.addresses import queues_by_address
from mail.inbound.lmtp import LmtpDoor
from mail.limits import LETTER_BYTES
from mail.openpgp.keyring import Keyring
from storage.engine.troubles import StorageTrouble
from storage.models import LetterState
from storage.queries.letters import IncomingMail
from storage.sealing.vault import TagKind
from tests.services.mailhost import Postfix
from tests.worlds.mail import mail_desk_at

SAMPLES = Path(__file__).parent.parent.parent / "mails" / "whisperback"
SENDER = "sender@user.example"
QUEUES = queues_by_address({"help@desk.example": "help"})
PATIENCE = 30.0

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="Postfix is started by root only")


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def shared_postfix(port: int) -> Iterator[Postfix]:
    with Postfix(f"inet:127.0.0.1:{port}") as server:
        yield server


@pytest.fixture
def postfix(shared_postfix: Postfix) -> Postfix:
    assert shared_postfix.queued() == 0
    shared_postfix.forget_outside()
    return shared_postfix


class Shelf:
    """Keeps letters, or has as many troubles first as it is told."""

    def __init__(self) -> None:
        self.kept: list[IncomingMail] = []
        self.troubles = 0
        self.asked = 0

    async def keep(self, arrival: IncomingMail) -> None:
        self.asked += 1
        if self.asked <= self.troubles:
            raise StorageTrouble("The database is locked.")
        self.kept.append(arrival)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
async def door(port: int, shelf: Shelf) -> AsyncIterator[LmtpDoor]:
    door = LmtpDoor(QUEUES, shelf.keep, port=port)
    await door.start()
    yield door
    await door.stop()


async def inject(postfix: Postfix, *recipients: str, body: bytes = b"hi") -> None:
    def send() -> None:
        with smtplib.SMTP("127.0.0.1", postfix.smtp) as smtp:
            smtp.sendmail(SENDER, recipients, b"From: sender@user.example\r\nSubject: x\r\n\r\n" + body)

    await asyncio.to_thread(send)


async def until(done: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not done():  # noqa: ASYNC110 - Postfix rings no bell here
            await asyncio.sleep(0.02)


async def settled(postfix: Postfix) -> None:
    async with asyncio.timeout(PATIENCE):
        while await asyncio.to_thread(postfix.queued):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)


async def test_a_mail_becomes_a_ticket(postfix: Postfix, port: int, shaped: str, tmp_path: Path) -> None:
    home = tmp_path / "keys"
    home.mkdir(mode=0o700)
    keyring = Keyring(home, passphrase=None)
    keyring.import_secret_key((SAMPLES / "TEST-ONLY-helpdesk-secret-key.asc").read_bytes())
    try:
        async with mail_desk_at(shaped, keyring) as office:
            door = LmtpDoor(QUEUES, keeper(office.units, office.world, "lmtp"), port=port)
            await door.start()
            await inject(postfix, "Help+t0ken@desk.example")
            await settled(postfix)
            await door.stop()
            await office.worker().work(1)
            letter = await office.letter(1)
            assert (letter.state, letter.source) == (LetterState.TICKET, "lmtp")
            assert letter.reply_tag == office.units.vault.tag(TagKind.REPLY_TOKEN, "t0ken")
    finally:
        keyring.close()


async def test_our_own_trouble_makes_postfix_try_again(
    postfix: Postfix, door: LmtpDoor, shelf: Shelf
) -> None:
    shelf.troubles = 2
    await inject(postfix, "help@desk.example")
    await until(lambda: shelf.asked)
    assert (shelf.kept, await asyncio.to_thread(postfix.queued)) == ([], 1)
    for tries in (2, 3):
        postfix.flush()
        await until(lambda tries=tries: shelf.asked >= tries)  # type: ignore[misc]
    await settled(postfix)
    assert len(shelf.kept) == 1
    assert postfix.outside() == []


async def test_mail_waits_while_we_are_away(postfix: Postfix, port: int, shelf: Shelf) -> None:
    await inject(postfix, "help@desk.example", body=b"one")
    await inject(postfix, "help@desk.example", body=b"two")
    door = LmtpDoor(QUEUES, shelf.keep, port=port)
    await door.start()
    postfix.flush()
    await settled(postfix)
    await door.stop()
    assert sorted(one.raw.splitlines()[-1] for one in shelf.kept) == [b"one", b"two"]


async def test_unknown_recipients_are_told_to_the_sender(
    postfix: Postfix, door: LmtpDoor, shelf: Shelf
) -> None:
    await inject(postfix, "help@desk.example", "gone@desk.example")
    await until(postfix.outside)
    await settled(postfix)
    assert [(one.mail_from, one.queue) for one in shelf.kept] == [(SENDER, "help")]
    [bounce] = postfix.outside()
    assert b"Return-Path: <>" in bounce
    assert b"Final-Recipient: rfc822; gone@desk.example" in bounce
    assert b"550 5.1.1 No such address here" in bounce


async def test_a_letter_that_is_too_large_is_told_to_the_sender(
    postfix: Postfix, door: LmtpDoor, shelf: Shelf
) -> None:
    line = b"x" * 98 + b"\r\n"
    await inject(postfix, "help@desk.example", body=line * (LETTER_BYTES // len(line)))
    await until(postfix.outside)
    assert shelf.kept == []
    assert b"Status: 5." in postfix.outside()[0]
