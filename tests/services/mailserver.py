# SPDX-License-Identifier: AGPL-3.0-or-later
"""A submission server that can also misbehave, and certificates for it."""

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mail.testing.smtp_server import KEPT, Catcher, Caught, MailAccount

__all__ = ["Catcher", "Caught", "Certificate", "MailAccount", "MailServer", "Oddity", "make_certificate"]


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


def make_certificate(
    folder: Path, *, names: Sequence[str] = ("localhost", "127.0.0.1"), days: int = 2
) -> Certificate:
    """Make a certificate of its own authority under `folder`; with negative `days` it has expired."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
    end = dt.datetime.now(dt.UTC) + dt.timedelta(days=days)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - dt.timedelta(days=abs(days) + 1))
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate = Certificate(folder / "server.pem", folder / "server.key")
    certificate.file.write_bytes(made.public_bytes(Encoding.PEM))
    certificate.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate


def _name(name: str) -> x509.GeneralName:
    if name[0].isdigit():
        return x509.IPAddress(ipaddress.ip_address(name))
    return x509.DNSName(name)


class MailServer(Catcher):
    """A Catcher that first gives the answers queued in `script`, one per mail: a status line or an Oddity."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, account: MailAccount | None = None) -> None:
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
