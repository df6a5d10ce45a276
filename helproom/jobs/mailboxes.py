# SPDX-License-Identifier: AGPL-3.0-or-later
"""The config's mailboxes as fetchers, and the jobs that watch over what comes in."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from desk.context import Workplace
from desk.monitoring.mail_arrivals import MailboxHealth, watch_arrivals, watch_mailbox
from desk.quarantine import left_in_mailbox
from desk.quarantine.left_in_mailbox import RefusedLetter
from helproom.config import for_desk
from helproom.config.sections.mail_in import MaildirSection
from helproom.config.settings import Settings
from helproom.jobs.keeping import keeper
from mail.addresses import queues_by_address
from mail.inbound.envelope import Addressing
from mail.inbound.fetcher import Fetcher, FetcherParts
from mail.inbound.mailbox import Mailbox
from mail.inbound.maildir import Maildir, MaildirPlace
from storage.queries.left_in_mailbox import LeftLetter, likeness
from storage.queries.letters import IncomingMail

WATCH_SECONDS = 60


@dataclass(frozen=True)
class Mailboxes:
    """All mailboxes; each fetcher is to be run, and `watch` called again and again."""

    place: Workplace
    fetchers: tuple[Fetcher, ...]
    pulses: tuple[MailboxHealth, ...]
    silent_after: dt.timedelta
    no_letter_after: dt.timedelta | None

    async def watch(self) -> None:
        """Tell what is silent. Raises StorageTrouble."""
        async with self.place.units() as unit:
            for pulse in self.pulses:
                await watch_mailbox(self.place.work(unit), pulse, self.silent_after)
            if self.no_letter_after is not None:
                await watch_arrivals(self.place.work(unit), self.no_letter_after)


def open_mailboxes(settings: Settings, place: Workplace) -> Mailboxes:
    """Make a fetcher for each mailbox; nothing is connected yet. Raises SecretUnusable."""
    queue_of = queues_by_address(for_desk.queue_addresses(settings))
    fetchers, pulses = [], []
    for mailbox, source, name, queue in _mailboxes(settings):
        pulse = MailboxHealth(name)
        book = LeftLetterBook(place, name, source)
        keep = keeper(place.units, place.world, source)
        doing = FetcherParts(Addressing(queue_of, queue), keep, book.refuse, pulse, wishes=book)
        fetchers.append(Fetcher(mailbox, doing, place.world))
        pulses.append(pulse)
    mail = settings.mail
    return Mailboxes(place, tuple(fetchers), tuple(pulses), mail.silent_after, mail.no_letter_after)


def _mailboxes(settings: Settings) -> Iterator[tuple[Mailbox, str, str, str | None]]:
    """Give each mailbox with the name of its door in the database, its own name and its queue."""
    for imap in settings.mail.imap:
        # Not at the top, as in `imap_account`.
        from mail.inbound.imap import ImapMailbox  # noqa: PLC0415

        yield ImapMailbox(imap.account()), "imap", imap.name, imap.queue
    for maildir in settings.mail.maildirs:
        yield Maildir(maildir_place(maildir)), "maildir", maildir.name, maildir.queue


def maildir_place(section: MaildirSection) -> MaildirPlace:
    """Return where a Maildir lies and what happens to letters."""
    poll = section.poll.total_seconds()
    return MaildirPlace(section.path, section.processed, section.quarantined, poll)


@dataclass(frozen=True)
class LeftLetterBook:
    """What the database knows of letters that stay in one mailbox; `source` is the name of its door there."""

    place: Workplace
    mailbox: str
    source: str

    async def refuse(self, refused: RefusedLetter) -> None:
        """Note a letter that is not taken in, and tell of it once."""
        async with self.place.units() as unit:
            await left_in_mailbox.note_refused(self.place.work(unit), replace(refused, source=self.source))

    async def waiting(self) -> Sequence[LeftLetter]:
        """Return the letters that people want fetched or deleted, oldest first."""
        async with self.place.units() as unit:
            return await unit.outside.wished(self.mailbox)

    def are_alike(self, lying: LeftLetter, head: bytes) -> bool:
        """Tell by a letter's first bytes whether it is the one that was noted."""
        return likeness(self.place.units.vault, head) == lying.likeness

    async def bring_in(self, lying: LeftLetter, mail: IncomingMail) -> bool:
        """Take a letter in; False when nobody wants it any more."""
        async with self.place.units() as unit:
            return await left_in_mailbox.bring_in(self.place.work(unit), lying, mail)

    async def give_up(self, lying: LeftLetter, reason: str) -> None:
        """Note why a letter cannot be had."""
        async with self.place.units() as unit:
            await left_in_mailbox.give_up(self.place.work(unit), lying, reason)

    async def forget(self, lying: LeftLetter) -> None:
        """Note that a letter is deleted that nobody wants, or moved that was taken in."""
        async with self.place.units() as unit:
            await left_in_mailbox.forget(unit, lying)
