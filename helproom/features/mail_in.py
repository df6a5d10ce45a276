# SPDX-License-Identifier: AGPL-3.0-or-later
"""Mail that comes in: the LMTP door, mailboxes, and what opens letters."""

from helproom.config import for_desk
from helproom.features.feature import Door, Feature, Task
from helproom.jobs.keeping import keeper
from helproom.jobs.mailboxes import WATCH_SECONDS, open_mailboxes
from helproom.jobs.schedule import Job
from helproom.parts.parts import Parts
from mail.addresses import queues_by_address
from mail.inbound.lmtp import LmtpDoor
from mail.workers.letters import LetterWorker


def wire(parts: Parts) -> Feature:
    """Return what takes letters in. Raises SecretUnusable."""
    mailboxes = open_mailboxes(parts.settings, parts.place)
    letters = LetterWorker(parts.place, parts.desk.opener, parallel=parts.settings.mail.workers)
    fetching = (
        Task(f"empty mailbox {number}", fetcher.run)
        for number, fetcher in enumerate(mailboxes.fetchers, start=1)
    )
    return Feature(
        tasks=(Task("open letters", letters.run), *fetching),
        jobs=(Job("watch mailboxes", mailboxes.watch, WATCH_SECONDS),),
        doors=_doors(parts),
    )


def _doors(parts: Parts) -> tuple[Door, ...]:
    lmtp = parts.settings.mail.lmtp
    if lmtp is None:
        return ()
    listen = lmtp.listen
    door = LmtpDoor(
        queues_by_address(for_desk.queue_addresses(parts.settings)),
        keeper(parts.desk.units, parts.place.world, "lmtp"),
        path=listen.path,
        host=listen.host or "127.0.0.1",
        port=listen.port,
        largest=lmtp.max_size,
        most_connections=lmtp.most_connections,
    )
    return (door,)
