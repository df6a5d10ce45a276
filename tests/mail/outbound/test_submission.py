# SPDX-License-Identifier: AGPL-3.0-or-later
"""Submission says exactly what became of a mail, whatever the server does."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mail.outbound.submission import (
    NotSubmitted,
    SubmissionDelayed,
    SubmissionRefused,
    SubmissionSettings,
    SubmissionUnclear,
    submit,
)
from mail.testing.smtp_server import Catcher, MailAccount
from tests.services.mailserver import make_certificate

MAIL = b"Subject: hello\r\n\r\n.a dot\r\nbare\nend\r\n"
ACCOUNT = MailAccount("helproom", "test-only")
HANG, DROP = "hang", "drop"
ANSWERS = {"HELLO": "220 hi", "EHLO": "250 hi", "MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go"}


class Script:
    """A server that answers each stage as told, and notes what it heard."""

    def __init__(self, answers: Mapping[str, str]) -> None:
        self.answers = {**ANSWERS, ".": "250 kept", "QUIT": "221 bye", **answers}
        self.heard: list[str] = []

    async def speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._talk(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stage, in_content = "HELLO", False
        while True:
            answer = self.answers[stage]
            if answer == DROP:
                return
            if answer != HANG:
                writer.write(f"{answer}\r\n".encode())
                await writer.drain()
                in_content = stage == "DATA" and answer.startswith("354")
            while True:
                line = (await reader.readline()).decode()
                if not line:
                    return
                if not in_content or line == ".\r\n":
                    break
                self.heard.append("content")
            stage = "." if in_content else line[:4].strip().upper()
            in_content = False
            self.heard.append(stage)


@asynccontextmanager
async def scripted(**answers: str) -> AsyncIterator[tuple[Script, SubmissionSettings]]:
    script = Script({"." if stage == "END" else stage: answer for stage, answer in answers.items()})
    server = await asyncio.start_server(script.speak, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield (
            script,
            SubmissionSettings(
                "127.0.0.1",
                port,
                "loopback-plain",
                connect_seconds=2,
                answer_seconds=0.5,
                content_seconds=0.5,
            ),
        )
    finally:
        server.close()


async def nothing() -> None:
    pass


async def test_a_mail_is_handed_over_over_tls_with_a_login(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    async with Catcher(tls=certificate.serve(), account=ACCOUNT) as catcher:
        settings = SubmissionSettings(
            "127.0.0.1", catcher.port, "starttls", ACCOUNT.user, ACCOUNT.password, certificate.file
        )
        await submit(MAIL, "desk@a.example", "user@b.example", settings, nothing)
        with pytest.raises(SubmissionDelayed):
            await submit(
                MAIL, "desk@a.example", "user@b.example", replace(settings, password="wrong"), nothing
            )
        with pytest.raises(SubmissionDelayed):
            await submit(MAIL, "desk@a.example", "user@b.example", replace(settings, ca_file=None), nothing)
    [caught] = catcher.caught
    assert (caught.over_tls, caught.logged_in) == (True, True)
    assert (caught.sender, caught.recipients) == ("desk@a.example", ("user@b.example",))
    assert caught.content == MAIL.replace(b"bare\n", b"bare\r\n")


async def test_a_server_without_starttls_gets_nothing() -> None:
    async with scripted() as (script, settings):
        with pytest.raises(SubmissionDelayed):
            await submit(MAIL, "d@a.example", "u@b.example", replace(settings, security="starttls"), nothing)
    assert not {"MAIL", "content"} & set(script.heard)


@pytest.mark.parametrize(
    ("stage", "answer", "outcome"),
    [
        ("HELLO", "554 no service", SubmissionDelayed),
        ("HELLO", DROP, SubmissionDelayed),
        ("HELLO", HANG, SubmissionDelayed),
        ("MAIL", "451 busy", SubmissionDelayed),
        ("MAIL", "550 not from you", SubmissionRefused),
        ("RCPT", "450 grey", SubmissionDelayed),
        ("RCPT", "550 no such user <u@b.example>", SubmissionRefused),
        ("RCPT", DROP, SubmissionDelayed),
        ("RCPT", HANG, SubmissionDelayed),
        ("DATA", "451 later", SubmissionDelayed),
        ("DATA", "554 never", SubmissionRefused),
        ("DATA", DROP, SubmissionDelayed),
        ("END", "451 later", SubmissionDelayed),
        ("END", "554 never, u@b.example", SubmissionRefused),
        ("END", DROP, SubmissionUnclear),
        ("END", HANG, SubmissionUnclear),
        ("END", "999 what", SubmissionUnclear),
    ],
)
async def test_every_answer_has_one_outcome(stage: str, answer: str, outcome: type[NotSubmitted]) -> None:
    asked: list[bool] = []

    async with scripted(**{stage: answer}) as (script, settings):

        async def about_to_send_data() -> None:
            asked.append("content" not in script.heard and "RCPT" in script.heard)

        with pytest.raises(outcome) as ended:
            await submit(MAIL, "d@a.example", "u@b.example", settings, about_to_send_data)
    assert asked == ([True] if stage == "END" else [])
    assert "@" not in str(ended.value)


async def test_nothing_leaves_when_the_decision_is_taken_back_at_the_last_moment() -> None:
    async def stop() -> None:
        raise LookupError

    async with scripted() as (script, settings):
        with pytest.raises(LookupError):
            await submit(MAIL, "d@a.example", "u@b.example", settings, stop)
        assert script.heard[-1] == "DATA"


async def test_nobody_is_reached_where_nobody_listens_and_no_clear_line_leaves_this_machine() -> None:
    async with scripted() as (_, settings):
        pass
    with pytest.raises(SubmissionDelayed):
        await submit(MAIL, "d@a.example", "u@b.example", settings, nothing)
    with pytest.raises(ValueError, match="loopback"):
        replace(settings, host="mail.example")
