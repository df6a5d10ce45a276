# SPDX-License-Identifier: AGPL-3.0-or-later
"""A submission server on loopback that keeps what it is given, for the demo and the tests."""

import asyncio
import hmac
import ssl
from dataclasses import dataclass
from typing import Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

KEPT = "250 2.0.0 Kept"


@dataclass(frozen=True)
class Caught:
    """A mail as it arrived: envelope, bytes with CRLF line ends, and how it came."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    over_tls: bool
    logged_in: bool


@dataclass(frozen=True)
class MailAccount:
    """The one login that a catcher accepts."""

    user: str
    password: str


class Catcher:
    """Listens on a free port of 127.0.0.1 and keeps every mail in `caught`, oldest first.

    With `tls`, STARTTLS is demanded before a mail; with `account`, a login too. With `smtputf8`, addresses
    may go beyond ASCII (RFC 6531).
    """

    def __init__(
        self, *, tls: ssl.SSLContext | None = None, account: MailAccount | None = None, smtputf8: bool = False
    ) -> None:
        """Choose the rules; nothing listens yet."""
        self.caught: list[Caught] = []
        self.port = 0
        self._tls = tls
        self._account = account
        self._smtputf8 = smtputf8
        self._arrival = asyncio.Condition()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await self.stop()

    async def start(self) -> None:
        """Listen; after a stop, on the same port as before."""
        self._server = await asyncio.get_running_loop().create_server(self._speak, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Take no more connections; what was caught stays."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def wait_for(self, count: int, seconds: float = 30.0) -> Caught:
        """Wait until `count` mails have come in all and return the last of them. Raises TimeoutError."""
        async with asyncio.timeout(seconds), self._arrival:
            await self._arrival.wait_for(lambda: len(self.caught) >= count)
            return self.caught[count - 1]

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep a mail; the name and the answer's form are aiosmtpd's."""
        mail = Caught(
            sender=envelope.mail_from or "",
            recipients=tuple(envelope.rcpt_tos),
            content=envelope.original_content or b"",
            over_tls=session.ssl is not None,
            logged_in=bool(session.authenticated),
        )
        async with self._arrival:
            self.caught.append(mail)
            self._arrival.notify_all()
        return KEPT

    def _speak(self) -> SMTP:
        return SMTP(
            self,
            hostname="localhost",
            loop=asyncio.get_running_loop(),
            enable_SMTPUTF8=self._smtputf8,
            tls_context=self._tls,
            require_starttls=self._tls is not None,
            authenticator=self._check_login,
            auth_required=self._account is not None,
            auth_require_tls=self._tls is not None,
        )

    def _check_login(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: object
    ) -> AuthResult:
        wanted = self._account
        if wanted is None or not isinstance(given, LoginPassword):
            return AuthResult(success=False, handled=False)
        right_user = hmac.compare_digest(given.login, wanted.user.encode())
        right_password = hmac.compare_digest(given.password, wanted.password.encode())
        return AuthResult(success=right_user and right_password, handled=False)
