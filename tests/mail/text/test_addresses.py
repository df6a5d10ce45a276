# SPDX-License-Identifier: AGPL-3.0-or-later
"""An address that was read can be written to, or the answer is refused before it is held."""

import pytest
from aiosmtpd.smtp import SMTP
from hypothesis import given
from hypothesis import strategies as st

from desk.replies.recipients import addr_spec
from desk.world import Refusal
from mail.outbound.sender import learn_server
from mail.outbound.submission import SubmissionSettings
from mail.testing.smtp_server import Catcher
from mail.text.headers import read_addresses
from storage.models import KeyState, OutboxState
from storage.sealing.vault import address_tag
from tests.mail.people import Desk, Person, encrypted, entity, headers, multipart
from tests.mail.sending import answer, deliver
from tests.worlds.mail import MailDesk

READ = [
    ("Mara Muster mara@example.net", "Mara Muster", "mara@example.net"),
    ("mara@example.net Mara", "Mara", "mara@example.net"),
    ('"Mara Muster" mara@example.net', "Mara Muster", "mara@example.net"),
    ("Mara (at work) mara@example.net", "Mara (at work)", "mara@example.net"),
    ("=?utf-8?q?M=C3=A4ra?= mara@example.net", "Mära", "mara@example.net"),
    ("mara@example.net (Mara)", "Mara", "mara@example.net"),
    ("=?utf-8?q?Mara_=3Cmara=40example=2Enet=3E?=", "Mara", "mara@example.net"),
    ("=?utf-8?q?Mara?= =?utf-8?b?IDxtYXJhQGV4YW1wbGUubmV0Pg==?=", "Mara", "mara@example.net"),
    ("'mara@example.net'", "", "mara@example.net"),
    ("mara@example.net.", "", "mara@example.net"),
    ("Mara <mara.@docomo.example>", "Mara", "mara.@docomo.example"),
    ("mara..m@docomo.example", "", "mara..m@docomo.example"),
    ('Mara <"mara m"@example.net>', "Mara", '"mara m"@example.net'),
    ("mara@bücher.example", "", "mara@xn--bcher-kva.example"),
    ("mära@example.net", "", "mära@example.net"),
    ("Mara eve@evil.example <mara@example.net>", "Mara eve@evil.example", "mara@example.net"),
    ("=?utf-8?q?eve=40evil.example?= <mara@example.net>", "eve@evil.example", "mara@example.net"),
]


@pytest.mark.parametrize(("field", "name", "address"), READ)
def test_an_address_is_read_whichever_program_wrote_it(field: str, name: str, address: str) -> None:
    assert read_addresses([field]) == [(name, address)]


def test_two_addresses_among_words_are_nobodys() -> None:
    assert read_addresses(["Mara mara@example.net via eve@evil.example"]) == []


def test_both_spellings_of_a_domain_are_one_address() -> None:
    assert read_addresses(["kim@BÜCHER.example"]) == read_addresses(["kim@xn--bcher-kva.example"])


@pytest.mark.parametrize(
    ("address", "leaves_to"),
    [
        ("kim@example.org", "kim@example.org"),
        ("kim+tails@Example.ORG", "kim+tails@example.org"),
        ("kim.@docomo.example", '"kim."@docomo.example'),
        ("kim..doe@docomo.example", '"kim..doe"@docomo.example'),
        (".kim@docomo.example", '".kim"@docomo.example'),
        ('"kim doe"@example.org', '"kim doe"@example.org'),
        (r'"kim\"doe"@example.org', r'"kim\"doe"@example.org'),
        ("kim@bücher.example", "kim@xn--bcher-kva.example"),
        ("mära@bücher.example", "mära@xn--bcher-kva.example"),
        ("kim@example.org.", "kim@example.org"),
    ],
)
def test_an_address_leaves_as_mail_servers_take_it(address: str, leaves_to: str) -> None:
    assert addr_spec(address) == leaves_to


@pytest.mark.parametrize("address", ["kim@example..org", "kim@-.example", "kim@\u2028.example", "@a.example"])
def test_what_no_server_takes_is_refused_without_naming_it(address: str) -> None:
    with pytest.raises(Refusal) as refused:
        addr_spec(address)
    assert "@." not in str(refused.value)
    assert "example" not in str(refused.value)


@given(st.text(max_size=30), st.text(max_size=30))
def test_the_form_that_leaves_is_stable(local: str, domain: str) -> None:
    """Twice the same, one line, one address: nothing can follow it on the wire."""
    try:
        leaves_to = addr_spec(f"{local}@{domain}")
    except Refusal:
        return
    assert addr_spec(leaves_to) == leaves_to
    assert "\r" not in leaves_to
    assert "\n" not in leaves_to
    assert leaves_to.rpartition("@")[2].isascii()


ODD = [
    ("kim.@docomo.example", '"kim."@docomo.example'),
    ("kim..doe@docomo.example", '"kim..doe"@docomo.example'),
    ('"kim doe"@example.org', '"kim doe"@example.org'),
    ("kim@bücher.example", "kim@xn--bcher-kva.example"),
]


@pytest.fixture
def rcpt(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what is said after RCPT: the server takes off quotation marks before it tells."""
    said: list[str] = []
    take = SMTP.smtp_RCPT

    async def listen(server: SMTP, words: str) -> None:
        said.append(words)
        await take(server, words)

    monkeypatch.setattr(SMTP, "smtp_RCPT", listen)
    return said


@pytest.mark.parametrize(("address", "leaves_to"), ODD)
async def test_an_odd_address_is_answered(
    office: MailDesk, rcpt: list[str], address: str, leaves_to: str
) -> None:
    letter = await office.take_in(headers(address) + entity("hi"))
    async with Catcher() as server:
        await answer(office, letter.ticket_id or 0, "Hello.\n")
        row = await deliver(office, server)
    assert (row.state, row.error) == (OutboxState.SENT, None)
    [caught] = server.caught
    assert rcpt == [f"TO:<{leaves_to}>"]
    assert f"\r\nTo: {leaves_to}\r\n".encode() in caught.content


BEYOND = "älice@user.example"


async def from_beyond_ascii(office: MailDesk, desk: Desk, alice: Person) -> int:
    """Let alice write encrypted from an address beyond ASCII, her key accepted; return her ticket."""
    key = entity(alice.public.decode(), type_="application/pgp-keys")
    sealed = alice.encrypt(multipart("multipart/mixed", entity("secret"), key), desk.public)
    letter = await office.take_in(headers(BEYOND) + encrypted(sealed))
    async with office.units() as unit:
        [kept] = await unit.keys.of(address_tag(unit.vault, BEYOND))
        kept.state = KeyState.PINNED
    return letter.ticket_id or 0


async def learn(office: MailDesk, server: Catcher) -> None:
    await learn_server(office.units, SubmissionSettings("127.0.0.1", server.port, "loopback-plain"))


async def test_signs_beyond_ascii_leave_where_the_server_takes_them(
    office: MailDesk, desk: Desk, alice: Person
) -> None:
    number = await from_beyond_ascii(office, desk, alice)
    async with Catcher(smtputf8=True) as server:
        await learn(office, server)
        await answer(office, number, "Hello.\n")
        row = await deliver(office, server)
    assert (row.state, row.error) == (OutboxState.SENT, None)
    [caught] = server.caught
    assert caught.recipients == (BEYOND,)
    assert f"\r\nTo: {BEYOND}\r\n".encode() in caught.content
    assert b"multipart/encrypted" in caught.content


async def test_signs_beyond_ascii_are_refused_before_the_hold_where_it_does_not(
    office: MailDesk, desk: Desk, alice: Person
) -> None:
    number = await from_beyond_ascii(office, desk, alice)
    async with Catcher() as server:
        await learn(office, server)
    with pytest.raises(Refusal, match="no SMTPUTF8"):
        await answer(office, number, "Hello.\n")
