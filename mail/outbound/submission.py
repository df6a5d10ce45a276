# SPDX-License-Identifier: AGPL-3.0-or-later
"""Handing a mail to the submission server (RFC 6409), so that the outcome is never guessed."""

import asyncio
import ipaddress
import re
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from aiosmtplib import (
    SMTP,
    SMTPConnectError,
    SMTPException,
    SMTPResponse,
    SMTPResponseException,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)

_START_INPUT = 354
_MOST_WORDS = 300
_MOST_READ = 4_000
_QUIT_SECONDS = 3.0
_ADDRESS = re.compile(r"<?[^\s<>@,;:\"()]+@[^\s<>,;:\"()]+>?")
_LINE_END = re.compile(rb"\r\n|\r|\n")


class NotSubmitted(Exception):
    """The mail was not, or not surely, handed over. `code` is the server's, None if it gave none."""

    def __init__(self, sentence: str, code: int | None = None) -> None:
        super().__init__(sentence)
        self.code = code


class _NoSecurity(SMTPException):
    """The line cannot be secured at all; the text is the end of a sentence."""


_OF_OTHER_SECURITY = (ssl.SSLError, SMTPTimeoutError, SMTPServerDisconnected)
_OTHER_SECURITY = "maybe it wants the other kind of security (tls belongs to port 465, starttls to 587)"
_BROKEN_LINES = (
    (ssl.SSLError, "it makes no secure connection"),
    (socket.gaierror, "its name is not known"),
    (SMTPTimeoutError, "it does not answer in time"),
    (SMTPServerDisconnected, "it ended the connection"),
    (SMTPConnectError, "no connection to it can be made"),
    (OSError, "the line to it broke"),
)


class SubmissionDelayed(NotSubmitted):
    """It surely was not handed over; the same mail may pass later."""


class SubmissionRefused(NotSubmitted):
    """It surely was not handed over, and the same mail never will be."""


class SubmissionUnclear(NotSubmitted):
    """Its content was begun and no final answer came: it may have been handed over."""


@dataclass(frozen=True)
class SubmissionSettings:
    """How to reach the submission server; times in seconds."""

    host: str
    port: int
    security: Literal["starttls", "tls", "loopback-plain"] = "starttls"
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    connect_seconds: float = 30.0
    answer_seconds: float = 60.0
    content_seconds: float = 600.0

    def __post_init__(self) -> None:
        """Raises ValueError when a mail would travel in clear."""
        if self.security == "loopback-plain" and not _is_loopback(self.host):
            raise ValueError("security: loopback-plain is for a server on this machine only.")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def submit(
    message: bytes,
    envelope_from: str,
    recipient: str,
    settings: SubmissionSettings,
    about_to_send_data: Callable[[], Awaitable[None]],
) -> None:
    """Hand one mail for one recipient over; return only when the server has said that it took it.

    `about_to_send_data` is awaited when the server waits for the content and nothing of it has left;
    if it raises, nothing is sent. Raises TryLater, Refused or Unclear (RFC 5321, 4.2.1 and 4.5.3.2); Refused
    too where the recipient's address goes beyond ASCII and the server offers no SMTPUTF8 (RFC 6531, 3.2).
    """
    client = _client(settings, envelope_from)
    try:
        try:
            await _greet(client, settings)
        except (SMTPException, OSError, ValueError) as problem:
            # What the server has against us and not against this mail passes, once it is set right.
            raise _unusable(problem) from None
        if not recipient.isascii() and not client.supports_extension("smtputf8"):
            raise SubmissionRefused("The mail server takes no addresses beyond ASCII.")
        try:
            await _address(client, envelope_from, recipient)
        except (SMTPException, OSError, ValueError) as problem:
            raise _before_content(problem) from None
        await about_to_send_data()
        _check_answer(await _send_content(client, message, settings))
        with suppress(SMTPException, OSError):
            await client.quit(timeout=_QUIT_SECONDS)
    finally:
        client.close()


def _client(settings: SubmissionSettings, envelope_from: str) -> SMTP:
    return SMTP(
        hostname=settings.host,
        port=settings.port,
        use_tls=settings.security == "tls",
        start_tls=False,
        timeout=settings.answer_seconds,
        # The default would tell this machine's name.
        local_hostname=envelope_from.rpartition("@")[2] or "localhost",
    )


async def _greet(client: SMTP, settings: SubmissionSettings) -> None:
    context = None if settings.security == "loopback-plain" else await asyncio.to_thread(_trust, settings)
    await client.connect(timeout=settings.connect_seconds, tls_context=context)
    if settings.security == "starttls":
        await client.ehlo()
        if not client.supports_extension("starttls"):
            raise _NoSecurity("it offers no STARTTLS, so nothing is sent")
        await client.starttls()
    if settings.user is not None:
        await client.login(settings.user, settings.password or "")
    await client.ehlo()


def _trust(settings: SubmissionSettings) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=settings.ca_file)
    except FileNotFoundError:
        raise _NoSecurity("the ca_file does not exist") from None
    except OSError:
        raise _NoSecurity("the ca_file cannot be read, or holds no certificate") from None


def _unusable(problem: Exception) -> SubmissionDelayed:
    sentence, code = _words("The mail server cannot be used", problem)
    met = _met(problem)
    if isinstance(met, _OF_OTHER_SECURITY) and not isinstance(met, ssl.SSLCertVerificationError):
        return SubmissionDelayed(f"{sentence.removesuffix('.')}; {_OTHER_SECURITY}.", code)
    return SubmissionDelayed(sentence, code)


async def _address(client: SMTP, envelope_from: str, recipient: str) -> None:
    if recipient.isascii():
        await client.mail(envelope_from)
        await client.rcpt(recipient)
    else:
        await client.mail(envelope_from, options=["SMTPUTF8", "BODY=8BITMIME"], encoding="utf-8")
        await client.rcpt(recipient, encoding="utf-8")
    answer = await client.execute_command(b"DATA")
    if answer.code != _START_INPUT:
        raise SMTPResponseException(answer.code, answer.message)


def _before_content(problem: Exception) -> NotSubmitted:
    code = getattr(problem, "code", None)
    if isinstance(code, int) and 500 <= code <= 599:  # noqa: PLR2004  (permanent negative replies)
        return SubmissionRefused(*_words("The mail server refused the mail", problem))
    if isinstance(problem, ValueError):
        return SubmissionRefused("The mail's addresses are not fit for SMTP.")
    return SubmissionDelayed(*_words("The mail server did not take the mail now", problem))


async def _send_content(client: SMTP, message: bytes, settings: SubmissionSettings) -> SMTPResponse:
    protocol = client.protocol
    if protocol is None or not protocol.is_connected:
        raise SubmissionDelayed("The mail server ended the connection before anything of the mail was sent.")
    content = b"\r\n".join(_LINE_END.split(message)).removesuffix(b"\r\n") + b"\r\n"
    content = re.sub(rb"(?m)^\.", b"..", content)
    try:
        protocol.write(content + b".\r\n")
        return await protocol.read_response(timeout=settings.content_seconds)
    except (TimeoutError, SMTPException, OSError) as problem:
        what = _broken(problem)
        raise SubmissionUnclear(f"The mail server did not say if it took the mail: {what}.") from None


def _check_answer(answer: SMTPResponse) -> None:
    first = answer.code // 100
    problem = SMTPResponseException(answer.code, answer.message)
    if first == 4:  # noqa: PLR2004
        raise SubmissionDelayed(*_words("The mail server did not take the mail now", problem))
    if first == 5:  # noqa: PLR2004
        raise SubmissionRefused(*_words("The mail server refused the mail", problem))
    if first != 2:  # noqa: PLR2004
        raise SubmissionUnclear(*_words("The mail server gave an answer that has no meaning", problem))


def _words(sentence: str, problem: Exception) -> tuple[str, int | None]:
    """A sentence with the server's code and words, without control characters and addresses."""
    if not isinstance(problem, SMTPResponseException):
        return f"{sentence}: {_broken(problem)}.", None
    said = problem.message[:_MOST_READ].encode("utf-8", "replace").decode("utf-8")
    said = "".join(char if char.isprintable() else " " for char in said)
    said = " ".join(_ADDRESS.sub("<address>", said).split())[:_MOST_WORDS]
    code = problem.code if problem.code > 0 else None
    return f"{sentence}: {f'{code} {said}'.strip() if code else 'an answer that is no SMTP'}.", code


def _broken(problem: Exception) -> str:
    """What broke the line, in words: the library hides what it met behind an error of its own."""
    met = _met(problem)
    if isinstance(met, _NoSecurity):
        return met.message
    if isinstance(met, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {met.verify_message.rstrip('.')}"
    words = (words for kind, words in _BROKEN_LINES if isinstance(met, kind))
    return next(words, "it does not keep to SMTP")


def _met(problem: Exception) -> BaseException:
    cause = problem.__cause__
    is_told = isinstance(cause, ssl.SSLError | socket.gaierror | SMTPServerDisconnected)
    return cause if is_told and cause is not None else problem


async def knock(settings: SubmissionSettings) -> bool:
    """Connect, secure the line and log in, and send nothing. Raises TryLater.

    Returns whether the server takes addresses that go beyond ASCII (SMTPUTF8, RFC 6531).
    """
    client = _client(settings, "helproom@localhost")
    try:
        await _greet(client, settings)
        offers_smtputf8 = client.supports_extension("smtputf8")
        with suppress(SMTPException, OSError):
            await client.quit(timeout=_QUIT_SECONDS)
    except (SMTPException, OSError, ValueError) as problem:
        raise _unusable(problem) from None
    finally:
        client.close()
    return offers_smtputf8
