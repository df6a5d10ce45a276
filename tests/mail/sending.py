# SPDX-License-Identifier: AGPL-3.0-or-later
"""The way of an answer, from the desk's hold to the mail server."""

from desk.delivery.delivery import Delivery
from desk.replies import drafts
from desk.replies.drafts import Answer
from desk.replies.protection import Path
from mail.outbound.sender import MailSender
from mail.outbound.submission import SubmissionSettings
from mail.testing.smtp_server import Catcher
from storage.models import Outbox, OutboxState
from tests.worlds.desk import delivery_of
from tests.worlds.mail import AGENT, MailDesk


def delivery(office: MailDesk, server: Catcher) -> Delivery:
    """Make what drains the outbox; rooms are not served."""
    settings = SubmissionSettings("127.0.0.1", server.port, "loopback-plain", content_seconds=5)
    sender = MailSender(office.place, office.keyring, office.workshop, settings)
    return delivery_of(office.place, {"mail": sender})


async def answer(office: MailDesk, ticket_id: int, words: str, path: Path = Path.ANSWER) -> int:
    """Hold an answer, send it, and return the id of its message."""
    async with office.units() as unit:
        ticket = await unit.tickets.get(ticket_id, lock=True)
        assert ticket is not None
        said = Answer(AGENT, words, office.world.now(), path)
        draft = await drafts.begin(office.work(unit), ticket, said)
        await drafts.send(office.work(unit), draft)
        return draft.id


async def mail_row(office: MailDesk) -> Outbox:
    """Return the newest mail of the outbox."""
    async with office.units() as unit:
        rows = await unit.outbox.in_state(*OutboxState)
        return max((row for row in rows if row.kind == "mail"), key=lambda row: row.id)


async def deliver(office: MailDesk, server: Catcher) -> Outbox:
    """Drain the lane of the newest mail and return its row."""
    row = await mail_row(office)
    await delivery(office, server)._drain_lane(row.lane)
    return await mail_row(office)
