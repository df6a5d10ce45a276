# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters in a mailbox become tickets, and what cannot be taken in is told."""

from pathlib import Path

from tests.mail.mailboxes import another_client, letter, lies_in
from tests.services.mailhost import PASSWORD, USER, Dovecot
from tests.services.synapse import Homeserver
from tests.worlds.matrix import SUPPORT, Plan, running_desk


async def test_a_mailbox_is_emptied_and_strays_are_told(tmp_path: Path, synapse: Homeserver) -> None:
    with Dovecot() as dovecot:
        server = f"host: 127.0.0.1, port: {dovecot.imap}, ca_file: {dovecot.certificate.file}"
        mail = f"  imap: [{{name: main, {server}, security: starttls, user: {USER}, password_file: imap}}]\n"
        plan = Plan(tmp_path, synapse, mail=mail, secrets={"imap": PASSWORD})
        async with running_desk(plan) as desk:
            with another_client(dovecot) as client:
                client.append("INBOX", letter("stray", to="nobody@example.org"))
                client.append("INBOX", letter("wifi", to=SUPPORT))
            await desk.announced(1)
            told = await desk.hears("in mailbox main was not taken in")
            assert "it is for none of the queues' addresses" in told.body
        assert (list(lies_in(dovecot, "Processed")), list(lies_in(dovecot, "Quarantined"))) == (
            ["wifi"],
            ["stray"],
        )
