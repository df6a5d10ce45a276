# SPDX-License-Identifier: AGPL-3.0-or-later
"""What everybody on an answer's way can see, header by header, and what only its reader sees."""

import os
import socket
from collections.abc import AsyncIterator

import pytest

from desk.replies.protection import Path as Way
from mail.outbound.attach import EnclosedFile
from tests.mail.outbound.test_enclosing import answer as answer_with_files
from tests.mail.outbound.test_enclosing import wait_in
from tests.mail.outbound.test_outgoing import confidential, opened_by, parse
from tests.mail.people import Desk, Person, entity, headers
from tests.mail.reading.test_independent_readers import payload
from tests.mail.sending import answer, deliver
from tests.services.mailserver import MailServer
from tests.worlds.mail import AGENT, MailDesk, mail_desk_at

ALWAYS = ["From", "To", "Subject", "Date", "Message-ID", "Reply-To"]
FOLLOWING = ["In-Reply-To", "References"]
LAST = ["Autocrypt", "MIME-Version", "Content-Type"]
"""Autocrypt stands outside, as its readers look for it in the outer headers only (Level 1, 2.1)."""


@pytest.fixture(name="office")
async def make_office(shaped: str, desk: Desk) -> AsyncIterator[MailDesk]:
    async with mail_desk_at(shaped, desk.keyring) as office:
        async with office.units() as unit:
            await unit.templates.write("signature", "en", "{role}")
        yield office


def check_outside(raw: bytes, names: list[str], subject: str) -> None:
    """Check that these headers stand outside and no others, and none of them tells of agent or machine."""
    outer = parse(raw)
    assert outer.keys() == names
    assert outer["Subject"] == subject
    assert outer["Date"].endswith(":00 +0000")
    assert outer["From"] == "Help Desk <help@desk.example>"
    assert outer["Message-ID"].endswith("@desk.example>")
    assert AGENT.encode() not in raw
    assert f"@{socket.gethostname()}".encode() not in raw


async def test_of_an_encrypted_answer_only_who_writes_to_whom_is_seen(
    office: MailDesk, desk: Desk, alice: Person, server: MailServer
) -> None:
    letter = await confidential(office, desk, alice, with_key=True)
    await answer(office, letter.ticket_id or 0, "Try this.")
    await deliver(office, server)
    raw = server.caught[0].content
    check_outside(raw, [*ALWAYS, *FOLLOWING, *LAST], "...")
    assert b"[#1]" not in raw
    inner = opened_by(alice, desk, raw)
    assert inner["Subject"] == "Re: [#1] ..."
    assert inner["Autocrypt"] is None
    assert [line.partition(":")[0] for line in inner.get_all("HP-Outer", [])] == [*ALWAYS, *FOLLOWING]
    assert inner.get_content().replace("\r\n", "\n").endswith("Try this.\n\n-- \nHelp Desk\n")
    assert AGENT not in inner.as_string()


async def test_an_answer_in_clear_is_signed_and_tells_the_number(
    office: MailDesk, server: MailServer
) -> None:
    letter = await office.take_in(headers("bob@user.example", "Re: [#7] Printer") + entity("hi"))
    await answer(office, letter.ticket_id or 0, "Try this.")
    await deliver(office, server)
    check_outside(server.caught[0].content, [*ALWAYS, *FOLLOWING, *LAST], "Re: [#1] Printer")


async def test_what_leaves_in_clear_on_demand_follows_nothing(
    office: MailDesk, desk: Desk, alice: Person, server: MailServer
) -> None:
    letter = await confidential(office, desk, alice, with_key=False)
    for path in (Way.PLAIN, Way.KEY_REQUEST):
        await answer(office, letter.ticket_id or 0, "Please send your key.", path)
        await deliver(office, server)
        check_outside(server.caught[-1].content, [*ALWAYS, *LAST], "[#1] Help Desk")


@pytest.mark.parametrize(("size", "is_compressed"), [(1000, False), (1_500_000, True)])
async def test_only_what_is_large_is_compressed(
    office: MailDesk, desk: Desk, alice: Person, server: MailServer, size: int, *, is_compressed: bool
) -> None:
    letter = await confidential(office, desk, alice, with_key=True)
    file = EnclosedFile("a.bin", "application/octet-stream", os.urandom(size))
    await wait_in(office, letter.ticket_id or 0, file)
    await answer_with_files(office, letter.ticket_id or 0)
    await deliver(office, server)
    raw = server.caught[0].content
    listed = alice.gpg("--list-packets", data=payload(list(parse(raw).iter_parts())[1]))
    assert (b":compressed packet:" in listed) is is_compressed
    [part] = opened_by(alice, desk, raw).iter_attachments()
    assert payload(part) == file.content
    # In base64 twice over, it would be 1.8 times as large.
    assert len(raw) < size * 1.5 + 10_000
