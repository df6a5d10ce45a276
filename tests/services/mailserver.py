# SPDX-License-Identifier: AGPL-3.0-or-later
"""A submission server that can also misbehave, and certificates for it."""

import asyncio
import ssl
import subprocess
from collections import deque
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from mail.catcher import KEPT, Account, Catcher, Caught

__all__ = ["Account", "Catcher", "Caught", "Certificate", "MailServer", "Oddity", "make_certificate"]


class Oddity(Enum):
    """What a MailServer may do after DATA instead of an honest answer."""

    LOSE_ANSWER = "keep the mail, then hang up without a word"
    HANG_UP = "hang up without a word, keep nothing"


@dataclass(frozen=True)
class Certificate:
    """A server certificate for localhost and 127.0.0.1; clients that trust `file` accept it."""

    file: Path
    key: Path

    def serve(self) -> ssl.SSLContext:
        """Return the server's side."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.file, self.key)
        return context


def make_certificate(folder: Path) -> Certificate:
    """Make a certificate of its own authority under `folder`."""
    certificate = Certificate(folder / "server.pem", folder / "server.key")
    request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", str(certificate.key), "-out", str(certificate.file)]
    subprocess.run(["openssl", *request, *names, *files], check=True, capture_output=True)
    return certificate


class MailServer(Catcher):
    """A Catcher that first gives the answers queued in `script`, one per mail: a status line or an Oddity."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, account: Account | None = None) -> None:
        """Take a Catcher's rules; the script is empty, so every mail is kept."""
        super().__init__(tls=tls, account=account)
        self.script: deque[str | Oddity] = deque()
        self.attempts = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Answer as the script says, then as a Catcher."""
        self.attempts += 1
        answer = self.script.popleft() if self.script else KEPT
        if answer in (KEPT, Oddity.LOSE_ANSWER):
            await super().handle_DATA(server, session, envelope)
        if isinstance(answer, str):
            return answer
        assert isinstance(server.transport, asyncio.Transport)
        server.transport.abort()
        return "421 4.3.2 gone"
