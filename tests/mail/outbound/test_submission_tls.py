# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whatever is wrong with the line's security, it is told in a sentence, and nothing of a mail leaves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import pytest

from mail.outbound.submission import SubmissionDelayed, SubmissionSettings, knock, submit
from mail.testing.smtp_server import Catcher
from tests.mail.outbound.test_submission import MAIL, nothing, scripted
from tests.services.mailserver import Certificate, make_certificate

Security = Literal["starttls", "tls"]


@asynccontextmanager
async def serving(security: Security, certificate: Certificate) -> AsyncIterator[int]:
    """A mail server with this certificate; its port."""
    if security == "starttls":
        async with Catcher(tls=certificate.serve()) as catcher:
            yield catcher.port
            assert not catcher.caught
        return
    async with scripted() as (script, _):
        server = await asyncio.start_server(script.speak, "127.0.0.1", 0, ssl=certificate.serve())
        async with server:
            yield server.sockets[0].getsockname()[1]
        assert "content" not in script.heard


async def told(settings: SubmissionSettings) -> str:
    """What is said of this server, by a mail as by a knock."""
    with pytest.raises(SubmissionDelayed) as by_knock:
        await knock(settings)
    with pytest.raises(SubmissionDelayed) as by_mail:
        await submit(MAIL, "d@a.example", "u@b.example", settings, nothing)
    assert str(by_knock.value) == str(by_mail.value)
    return str(by_mail.value)


def settings_for(port: int, security: Security, ca_file: Path | None) -> SubmissionSettings:
    return SubmissionSettings(
        "localhost", port, security, ca_file=ca_file, connect_seconds=2, answer_seconds=2
    )


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize(
    ("made", "trusted", "words"),
    [
        ({"days": -2}, True, "its certificate is not trusted: certificate has expired"),
        ({"names": ("elsewhere.example",)}, True, "Hostname mismatch"),
        ({}, False, "its certificate is not trusted: self-signed certificate"),
    ],
)
async def test_a_certificate_that_cannot_be_trusted_is_told(
    tmp_path: Path, security: Security, made: dict, words: str, *, trusted: bool
) -> None:
    certificate = make_certificate(tmp_path, **made)
    async with serving(security, certificate) as port:
        said = await told(settings_for(port, security, certificate.file if trusted else None))
    assert said.startswith("The mail server cannot be used: ")
    assert words in said
    assert "Error" not in said
    assert "other kind" not in said


async def test_a_server_that_offers_no_starttls_is_told() -> None:
    async with Catcher() as catcher:
        said = await told(settings_for(catcher.port, "starttls", None))
    assert said == "The mail server cannot be used: it offers no STARTTLS, so nothing is sent."


async def test_a_server_that_refuses_starttls_is_told() -> None:
    async with scripted(EHLO="250-hi\r\n250 STARTTLS", STAR="454 not now") as (_, settings):
        said = await told(settings_for(settings.port, "starttls", None))
    assert said == "The mail server cannot be used: 454 not now."


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_the_other_kind_of_security_is_told(tmp_path: Path, security: Security) -> None:
    certificate = make_certificate(tmp_path)
    async with serving("tls" if security == "starttls" else "starttls", certificate) as port:
        said = await told(settings_for(port, security, certificate.file))
    assert said.startswith("The mail server cannot be used: it ")
    assert "the other kind of security (tls belongs to port 465, starttls to 587)" in said


@pytest.mark.parametrize("written", ["", None])
async def test_a_ca_file_that_is_none_is_told(tmp_path: Path, written: str | None) -> None:
    file = tmp_path / "ca.pem"
    if written is not None:
        file.write_text(written)
    said = await told(settings_for(9, "tls", file))
    assert "ca_file" in said
    assert "Error" not in said


async def test_a_name_that_nobody_knows_is_told() -> None:
    said = await told(SubmissionSettings("mail.invalid", 465, "tls"))
    assert "its name is not known" in said
