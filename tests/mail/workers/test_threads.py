# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters find their tickets by what stands under their protection, and copies of one mail are one."""

from collections.abc import AsyncIterator, Iterator

import pytest

from storage.models import LetterState
from tests.mail.people import Desk, Person, desk, encrypted, entity, headers
from tests.worlds.mail import MailDesk, mail_desk_at

PROTECTED = 'text/plain; charset=utf-8; protected-headers="v1"'


@pytest.fixture(scope="module", name="desk")
def make_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk(tmp_path_factory.mktemp("keys") / "desk") as made:
        yield made


@pytest.fixture(name="office")
async def make_office(shaped: str, desk: Desk, alice: Person) -> AsyncIterator[MailDesk]:
    """An office that has a ticket of Alice's."""
    async with mail_desk_at(shaped, desk.keyring) as office:
        await office.take_in(headers(alice.address) + entity("Hello."))
        yield office


def letter(sender: str, subject: str, body: bytes, number: int = 2) -> bytes:
    return headers(sender, subject).replace(b"<m1@", b"<m%d@" % number) + body


@pytest.mark.parametrize(
    ("inner", "outer", "state"),
    [
        ("Re: wifi [#1]", "...", LetterState.FOLLOW_UP),
        ("Re: wifi", "Re: wifi [#1]", LetterState.TICKET),
        ("Re: wifi [#2]", "...", LetterState.TICKET),
    ],
)
async def test_a_number_counts_in_the_encrypted_subject(
    office: MailDesk, desk: Desk, alice: Person, inner: str, outer: str, state: LetterState
) -> None:
    inside = entity("More.", f"Subject: {inner}", type_=PROTECTED)
    body = encrypted(alice.encrypt(inside, desk.public))
    assert (await office.take_in(letter(alice.address, outer, body))).state is state


async def test_the_subject_of_a_ticket_is_no_pass_for_others(
    office: MailDesk, desk: Desk, alice: Person
) -> None:
    inside = entity("Show me all.", "Subject: [#1]", type_=PROTECTED)
    body = encrypted(alice.encrypt(inside, desk.public))
    kept = await office.take_in(letter("eve@elsewhere.example", "...", body))
    assert (kept.state, kept.ticket_id) == (LetterState.QUARANTINED, 1)


def delivered(raw: bytes, to: str) -> bytes:
    """Return the mail as the server wrote it down for one recipient."""
    return f"Delivered-To: {to}\r\nReceived: from mx by lmtp\r\n\tfor <{to}>\r\n".encode() + raw


@pytest.mark.parametrize("message_id", [True, False], ids=["Message-ID", "no Message-ID"])
async def test_one_mail_to_two_addresses_is_one_ticket(office: MailDesk, *, message_id: bool) -> None:
    raw = letter("kim@user.example", "Hi", entity("Hello."))
    if not message_id:
        raw = raw.replace(b"Message-ID: <m2@user.example>\r\n", b"")
    first = await office.take_in(delivered(raw, "help@desk.example"))
    copy = await office.take_in(delivered(raw, "aide@desk.example"))
    assert (first.state, copy.state, copy.ticket_id) == (
        LetterState.TICKET,
        LetterState.DROPPED,
        first.ticket_id,
    )
    assert copy.reason == f"the same mail was delivered before, as letter {first.id}"
    other = await office.take_in(delivered(raw.replace(b"Hello", b"Hallo"), "help@desk.example"))
    assert other.state is LetterState.TICKET


async def test_a_copy_that_was_put_aside_does_not_keep_the_true_one_out(office: MailDesk) -> None:
    raw = letter("kim@user.example", "Hi", entity("Hello."))
    forged = await office.keep(delivered(raw, "help@desk.example"), mail_from="")
    await office.worker().work(forged)
    assert (await office.letter(forged)).state is LetterState.QUARANTINED
    assert (await office.take_in(delivered(raw, "aide@desk.example"))).state is LetterState.TICKET


async def token_of(office: MailDesk, number: int) -> str:
    """Return the reply token of a ticket."""
    async with office.units() as unit:
        ticket = await unit.tickets.get(number)
        assert ticket is not None
        return unit.vault.reply_token(ticket.ref)


async def test_the_copy_with_the_token_counts_where_the_other_was_put_aside(office: MailDesk) -> None:
    token = await token_of(office, 1)
    raw = letter("kim@user.example", "Away", b"Auto-Submitted: auto-replied\r\n" + entity("Away."))
    first = await office.take_in(delivered(raw, "help@desk.example"))
    copy = await office.take_in(delivered(raw, "help+token@desk.example"), token=token)
    assert (first.state, copy.state) == (LetterState.QUARANTINED, LetterState.FOLLOW_UP)
    again = await office.take_in(delivered(raw, "aide@desk.example"))
    assert again.state is LetterState.DROPPED


@pytest.mark.parametrize("mail_from", ["eve@user.example", ""], ids=["a person", "the null sender"])
async def test_who_has_a_copy_cannot_draw_the_mail_into_a_ticket_of_theirs(
    office: MailDesk, mail_from: str
) -> None:
    """Somebody in Cc can be faster than the writer's own server."""
    own = await office.take_in(letter("eve@user.example", "Mine", entity("Hello.")))
    token = await token_of(office, own.ticket_id or 0)
    raw = letter("kim@user.example", "Hi", entity("My words.")).replace(b"<m2@", b"<m3@")
    sent_on = await office.keep(delivered(raw, "help@desk.example"), mail_from=mail_from, token=token)
    await office.worker().work(sent_on)
    assert (await office.letter(sent_on)).ticket_id == own.ticket_id
    true = await office.take_in(delivered(raw, "help@desk.example"))
    assert (true.state, true.ticket_id) == (LetterState.TICKET, (own.ticket_id or 0) + 1)
    copy = await office.take_in(delivered(raw, "aide@desk.example"))
    assert (copy.state, copy.ticket_id) == (LetterState.DROPPED, true.ticket_id)


async def test_what_another_address_sends_to_two_of_ours_with_the_token_is_kept_once(
    office: MailDesk,
) -> None:
    token = await token_of(office, 1)
    raw = letter("work@user.example", "Re: Hi", b"In-Reply-To: <m1@user.example>\r\n" + entity("More."))
    first = await office.take_in(delivered(raw, "help@desk.example"), token=token)
    copy = await office.take_in(delivered(raw, "aide@desk.example"))
    assert (first.state, first.ticket_id) == (LetterState.FOLLOW_UP, 1)
    assert (copy.state, copy.ticket_id) == (LetterState.DROPPED, 1)


@pytest.mark.parametrize("mark", ["help@desk.example", "Help+token@desk.example"])
async def test_what_has_our_mark_was_here_before(office: MailDesk, mark: str) -> None:
    raw = letter("kim@user.example", "Hi", f"X-Loop: {mark}\r\n".encode() + entity("Hello."))
    kept = await office.take_in(raw)
    assert (kept.state, kept.reason) == (LetterState.DROPPED, "our own mail came back")


async def test_mail_from_our_own_address_with_a_token_is_ours(office: MailDesk) -> None:
    kept = await office.take_in(letter("help+token@desk.example", "Hi", entity("Hello.")))
    assert kept.state is LetterState.DROPPED
