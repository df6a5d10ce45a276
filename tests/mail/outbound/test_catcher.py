# SPDX-License-Identifier: AGPL-3.0-or-later
"""The catcher keeps what comes by its rules, and the tests' mail server misbehaves as told."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiosmtplib
import pytest

from mail.testing.smtp_server import Catcher, MailAccount
from tests.services.mailserver import Certificate, MailServer, Oddity, make_certificate

LETTER = b"Subject: hello\r\n\r\n.a dot\r\n"
ACCOUNT = MailAccount("helproom", "test-only")


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return make_certificate(tmp_path)


@pytest.fixture
async def server(certificate: Certificate) -> AsyncIterator[MailServer]:
    async with MailServer(tls=certificate.serve(), account=ACCOUNT) as server:
        yield server


async def submit(server: Catcher, context: ssl.SSLContext | None = None, password: str | None = None) -> str:
    """Send LETTER and return the answer's text."""
    client = aiosmtplib.SMTP(
        hostname="127.0.0.1", port=server.port, start_tls=context is not None, tls_context=context
    )
    async with client:
        if password is not None:
            await client.login(ACCOUNT.user, password)
        _, text = await client.sendmail("desk@helproom.test", ["a@example.org", "b@example.org"], LETTER)
        return text


async def test_a_catcher_without_rules_keeps_envelope_and_bytes() -> None:
    async with Catcher() as catcher:
        await submit(catcher)
        caught = await catcher.wait_for(1)
    assert caught.sender == "desk@helproom.test"
    assert caught.recipients == ("a@example.org", "b@example.org")
    assert caught.content == LETTER
    assert not caught.over_tls
    assert not caught.logged_in


async def test_a_stopped_catcher_comes_back_on_its_port() -> None:
    catcher = Catcher()
    await catcher.start()
    port = catcher.port
    await catcher.stop()
    with pytest.raises(aiosmtplib.SMTPConnectError):
        await submit(catcher)
    await catcher.start()
    await submit(catcher)
    assert catcher.port == port
    assert len(catcher.caught) == 1
    await catcher.stop()


async def test_a_mail_over_tls_with_the_right_login_is_kept(
    server: MailServer, certificate: Certificate
) -> None:
    await submit(server, ssl.create_default_context(cafile=certificate.file), ACCOUNT.password)
    assert server.caught[0].over_tls
    assert server.caught[0].logged_in


async def test_a_server_with_rules_refuses_clear_text_wrong_passwords_and_nobody(
    server: MailServer, certificate: Certificate
) -> None:
    trusting = ssl.create_default_context(cafile=certificate.file)
    with pytest.raises(aiosmtplib.SMTPSenderRefused, match="STARTTLS"):
        await submit(server)
    with pytest.raises(aiosmtplib.SMTPSenderRefused, match="Authentication required"):
        await submit(server, trusting)
    with pytest.raises(aiosmtplib.SMTPAuthenticationError):
        await submit(server, trusting, "wrong")
    with pytest.raises(ssl.SSLCertVerificationError):
        await submit(server, ssl.create_default_context(), ACCOUNT.password)
    assert server.caught == []


async def test_scripted_answers_come_in_order_and_then_mail_is_kept() -> None:
    async with MailServer() as server:
        server.script.extend(["451 4.3.0 later", "554 5.7.1 never", Oddity.HANG_UP, Oddity.LOSE_ANSWER])
        for error, kept in (("later", 0), ("never", 0), ("EOF", 0), ("EOF", 1)):
            with pytest.raises(aiosmtplib.SMTPException, match=error):
                await submit(server)
            assert len(server.caught) == kept
        assert "Kept" in await submit(server)
        assert server.attempts == 5
