# SPDX-License-Identifier: AGPL-3.0-or-later
"""A fetcher beside a real mailbox, with a shelf that keeps letters in memory or breaks as told."""

import asyncio
import contextlib
import datetime as dt
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from imapclient import IMAPClient

from desk.monitoring.mail_arrivals import MailboxHealth
from desk.quarantine.left_in_mailbox import RefusedLetter
from desk.world import World
from mail.addresses import queues_by_address
from mail.inbound.envelope import Addressing
from mail.inbound.fetcher import Fetcher, FetcherParts
from mail.inbound.imap import ImapAccount
from mail.inbound.mailbox import Mailbox
from storage.queries.letters import IncomingMail
from tests.services.mailhost import PASSWORD, USER, Dovecot

NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
QUEUES = queues_by_address({"help@desk.example": "en", "aide@desk.example": "fr"})
PATIENCE = 20.0


def letter(subject: str, *, to: str = "help@desk.example", body: bytes = b"hi") -> bytes:
    """A letter as a mail server leaves it in a mailbox."""
    delivered = f"Return-Path: <user@user.example>\r\nDelivered-To: {to}\r\n"
    written = f"From: user@user.example\r\nTo: {to}\r\nSubject: {subject}\r\n\r\n"
    return (delivered + written).encode() + body + b"\r\n"


@dataclass
class Shelf:
    """What the fetcher calls; raises what stands in `faults`, one for each call."""

    kept: list[IncomingMail] = field(default_factory=list)
    refused: list[RefusedLetter] = field(default_factory=list)
    faults: list[BaseException] = field(default_factory=list)
    poison: bytes | None = None
    """What a letter holds that can never be kept."""
    before: Callable[[], object] = lambda: None

    async def keep(self, arrival: IncomingMail) -> None:
        self.before()
        if self.faults:
            raise self.faults.pop(0)
        if self.poison is not None and self.poison in arrival.raw:
            raise RuntimeError(arrival.mail_from)
        self.kept.append(arrival)

    async def refuse(self, refused: RefusedLetter) -> None:
        self.refused.append(refused)

    @property
    def subjects(self) -> list[str]:
        """Of the letters that were kept."""
        return [one.raw.partition(b"Subject: ")[2].split(b"\r\n")[0].decode() for one in self.kept]


@dataclass
class Fetching:
    """A fetcher that runs, and how it feels."""

    shelf: Shelf
    pulse: MailboxHealth
    rounds: int = 0
    """How many times all that was there had been dealt with."""

    async def until(self, done: Callable[[], object]) -> None:
        """Wait until something is so; raises TimeoutError when it never comes."""
        async with asyncio.timeout(PATIENCE):
            while not done():  # noqa: ASYNC110 - the mail server rings no bell here
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def fetching(
    mailbox: Mailbox, shelf: Shelf | None = None, addressing: Addressing | None = None
) -> AsyncIterator[Fetching]:
    """Run a fetcher for the length of the block."""
    pulse, shelf = MailboxHealth("main"), shelf or Shelf()
    doing = FetcherParts(addressing or Addressing(QUEUES), shelf.keep, shelf.refuse, pulse, first_pause=0.02)
    going = Fetching(shelf, pulse)
    wait = mailbox.wait

    def wait_counted() -> None:
        going.rounds += 1
        wait()

    mailbox.wait = wait_counted
    task = asyncio.create_task(Fetcher(mailbox, doing, World(lambda: NOON, lambda: "t")).run())
    try:
        yield going
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        mailbox.wait = wait


def account(dovecot: Dovecot, **otherwise: Any) -> ImapAccount:
    """The account at a test server, over TLS."""
    usual = ImapAccount("127.0.0.1", dovecot.imaps, "tls", USER, PASSWORD, ca_file=dovecot.certificate.file)
    return replace(usual, **otherwise)


@contextlib.contextmanager
def another_client(dovecot: Dovecot) -> Iterator[IMAPClient]:
    """Somebody else's mail program, logged in, with the inbox selected."""
    trusted = ssl.create_default_context(cafile=dovecot.certificate.file)
    client = IMAPClient("127.0.0.1", dovecot.imaps, ssl_context=trusted)
    client.login(USER, PASSWORD)
    client.select_folder("INBOX")
    try:
        yield client
    finally:
        with contextlib.suppress(Exception):
            client.logout()


def lies_in(dovecot: Dovecot, folder: str) -> dict[str, tuple[bytes, ...]]:
    """Return the subjects in a folder with their flags."""
    with another_client(dovecot) as client:
        if not client.folder_exists(folder):
            return {}
        client.select_folder(folder, readonly=True)
        found = client.fetch(client.search("ALL"), ["FLAGS", "BODY.PEEK[HEADER.FIELDS (SUBJECT)]"])
    return {
        one[b"BODY[HEADER.FIELDS (SUBJECT)]"].decode().strip().removeprefix("Subject: "): one[b"FLAGS"]
        for one in found.values()
    }
