# SPDX-License-Identifier: AGPL-3.0-or-later
"""The config's mailboxes as fetchers, and the jobs that watch over what comes in."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from desk.conservation import check_yesterday
from desk.mailwatch import Pulse, watch_arrivals, watch_mailbox
from desk.posting import tell_operators
from desk.world import World
from helproom import handover
from helproom.keeping import keeper
from helproom.outside import imap_account
from helproom.sections import MaildirSection
from helproom.settings import Settings
from mail.addresses import queues_by_address
from mail.envelope import Addressing
from mail.fetching import Doing, Fetcher, Refuse, Refused
from mail.mailbox import Mailbox
from mail.maildir import Maildir, MaildirPlace
from storage.unit import Units

WATCH_SECONDS = 60


@dataclass(frozen=True)
class Mailboxes:
    """All mailboxes; each fetcher is to be run, and `watch` called again and again."""

    units: Units
    world: World
    fetchers: tuple[Fetcher, ...]
    pulses: tuple[Pulse, ...]
    silent_after: dt.timedelta
    no_letter_after: dt.timedelta | None

    async def watch(self) -> None:
        """Tell what is silent, and once a day what does not add up. Raises StorageTrouble."""
        async with self.units() as unit:
            for pulse in self.pulses:
                await watch_mailbox(unit, self.world, pulse, self.silent_after)
            if self.no_letter_after is not None:
                await watch_arrivals(unit, self.world, self.no_letter_after)
            await check_yesterday(unit, self.world)


def open_mailboxes(settings: Settings, units: Units, world: World) -> Mailboxes:
    """Make a fetcher for each mailbox; nothing is connected yet. Raises SecretUnusable."""
    queue_of = queues_by_address(handover.queue_addresses(settings))
    refuse = refuser(units, world)
    fetchers, pulses = [], []
    for mailbox, source, name, queue in _mailboxes(settings):
        pulse = Pulse(name)
        doing = Doing(Addressing(queue_of, queue), keeper(units, world, source), refuse, pulse)
        fetchers.append(Fetcher(mailbox, doing, world))
        pulses.append(pulse)
    mail = settings.mail
    return Mailboxes(units, world, tuple(fetchers), tuple(pulses), mail.silent_after, mail.no_letter_after)


def _mailboxes(settings: Settings) -> Iterator[tuple[Mailbox, str, str, str | None]]:
    """Give each mailbox with the name of its door in the database, its own name and its queue."""
    for imap in settings.mail.imap:
        # Not at the top, as in `imap_account`.
        from mail.imap import ImapMailbox  # noqa: PLC0415

        yield ImapMailbox(imap_account(imap)), "imap", imap.name, imap.queue
    for maildir in settings.mail.maildirs:
        yield Maildir(maildir_place(maildir)), "maildir", maildir.name, maildir.queue


def maildir_place(section: MaildirSection) -> MaildirPlace:
    """Return where a Maildir lies and what happens to letters."""
    poll = section.poll.total_seconds()
    return MaildirPlace(section.path, section.processed, section.quarantined, poll)


def refuser(units: Units, world: World) -> Refuse:
    """Return what is called for each letter that stays outside: it is noted and told once."""

    async def refuse(refused: Refused) -> None:
        letter = units.vault.tag("refused letter", f"{refused.mailbox}\0{refused.key}")
        async with units() as unit:
            if await unit.facts.get(f"refused:{letter}") is not None:
                return
            await unit.facts.set(f"refused:{letter}", f"{world.now().isoformat()} {refused.reason}")
            text = (
                f"A letter in mailbox {refused.mailbox} was not taken in: {refused.reason}. "
                "It is moved to the folder for such letters there; please look at it with a mail program."
            )
            await tell_operators(unit, world, text)

    return refuse
