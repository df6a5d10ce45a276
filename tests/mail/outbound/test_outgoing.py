# SPDX-License-Identifier: AGPL-3.0-or-later
"""Answers leave as the policy says, once, and what comes back finds its ticket."""

import email
from email import policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from desk.keys.offers import keep
from desk.letters.opened import OfferedKey
from desk.tickets.reading import show
from desk.world import Refusal
from mail.addresses import split_token
from mail.outbound import sender as outgoing
from storage.models import KeyState, Letter, LetterState, OutboxState, ReplyState
from storage.sealing.vault import address_tag
from tests.mail.people import Desk, Person, encrypted, entity, headers, multipart
from tests.mail.sending import answer, deliver, delivery, mail_row
from tests.services.mailserver import MailServer, Oddity
from tests.worlds.mail import MailDesk

KEY = "application/pgp-keys"
WORDS = "Please try the newest version.\n"


async def confidential(office: MailDesk, desk: Desk, alice: Person, *, with_key: bool) -> Letter:
    """Let alice write encrypted; with her key inside, or without."""
    key = multipart("multipart/mixed", entity("secret"), entity(alice.public.decode(), type_=KEY))
    raw = alice.encrypt(key if with_key else entity("secret"), desk.public)
    return await office.take_in(headers(alice.address, "...") + encrypted(raw))


async def state_of(office: MailDesk, message_id: int) -> ReplyState | None:
    async with office.units() as unit:
        message = await unit.messages.get(message_id)
        assert message is not None
        return message.state


def parse(raw: bytes) -> EmailMessage:
    return email.message_from_bytes(raw, policy=policy.default)


def opened_by(alice: Person, desk: Desk, raw: bytes) -> EmailMessage:
    alice.gpg("--import", data=desk.public)
    sealed = list(parse(raw).iter_parts())[1].get_payload(decode=True)
    assert isinstance(sealed, bytes)
    return parse(alice.gpg("--decrypt", data=sealed))


async def test_a_confidential_answer_leaves_encrypted_and_opens(
    office: MailDesk, desk: Desk, alice: Person, server: MailServer
) -> None:
    letter = await confidential(office, desk, alice, with_key=True)
    message_id = await answer(office, letter.ticket_id or 0, WORDS)
    row = await deliver(office, server)
    [caught] = server.caught
    outer = parse(caught.content)
    assert (row.state, await state_of(office, message_id)) == (OutboxState.SENT, ReplyState.SENT)
    assert (caught.sender, caught.recipients) == ("help@desk.example", (alice.address,))
    assert outer.get_content_type() == "multipart/encrypted"
    assert b"newest" not in caught.content
    inner = opened_by(alice, desk, caught.content)
    assert inner.get_content().replace("\r\n", "\n") == f"Subject: Re: [#1] ...\n\n{WORDS}"
    assert (inner["In-Reply-To"], inner["References"]) == ("<m1@user.example>", "<m1@user.example>")
    assert outer["Message-ID"] == f"<{row.ref}@desk.example>"
    assert outer["Reply-To"].startswith("help+")
    assert outer["Reply-To"].endswith("@desk.example")


async def test_who_got_a_copy_is_shown_and_gets_no_answer(office: MailDesk, server: MailServer) -> None:
    copies = ("Cc: Kim <KIM@other.example>, lee@other.example", "To: max@other.example")
    letter = await office.take_in(headers("bob@user.example", "hm", *copies) + entity("hi"))
    async with office.units() as unit:
        ticket = await unit.tickets.get(letter.ticket_id or 0)
        assert ticket is not None
        shown = (await show(unit, ticket, whole=False)).text
    assert "Cc: kim@other.example, lee@other.example (an answer goes to the user alone)" in shown
    await answer(office, letter.ticket_id or 0, WORDS)
    await deliver(office, server)
    [caught] = server.caught
    assert caught.recipients == ("bob@user.example",)
    assert b"other.example" not in caught.content
    assert {"cc", "bcc"}.isdisjoint(name.lower() for name in parse(caught.content))


async def test_a_mail_in_clear_is_answered_signed(office: MailDesk, server: MailServer) -> None:
    letter = await office.take_in(headers("bob@user.example") + entity("hi"))
    await answer(office, letter.ticket_id or 0, WORDS)
    await deliver(office, server)
    assert parse(server.caught[0].content).get_content_type() == "multipart/signed"


@pytest.mark.parametrize("state", [None, KeyState.CHANGED])
async def test_nothing_is_submitted_once_the_key_is_gone(
    office: MailDesk, desk: Desk, alice: Person, server: MailServer, state: KeyState | None
) -> None:
    letter = await confidential(office, desk, alice, with_key=True)
    message_id = await answer(office, letter.ticket_id or 0, WORDS)
    async with office.units() as unit:
        [key] = await unit.keys.of(address_tag(unit.vault, alice.address))
        if state is None:
            key.expires_at = office.world.now()
        else:
            key.state = state
    row = await deliver(office, server)
    assert (row.state, await state_of(office, message_id)) == (OutboxState.PARKED, ReplyState.FAILED)
    assert (row.error or "").startswith("Not sent: ")
    assert (server.caught, server.attempts) == ([], 0)


@pytest.mark.parametrize("is_key_known", [True, False])
async def test_what_changes_while_the_mail_is_written_is_seen_before_it_is_handed_over(
    office: MailDesk,
    alice: Person,
    server: MailServer,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_key_known: bool,
) -> None:
    letter = await office.take_in(headers(alice.address) + entity("hi"))
    await answer(office, letter.ticket_id or 0, WORDS)
    write = office.workshop.run

    async def write_slowly(work: Any, *about: Any) -> Any:
        made = await write(work, *about)
        async with office.units() as unit:
            ticket = await unit.tickets.get(letter.ticket_id or 0, lock=True)
            assert ticket is not None
            ticket.confidential = True
            if is_key_known:
                key = OfferedKey(alice.fingerprint, "attached", alice.public, None)
                await keep(office.work(unit), ticket.contact_tag or "", key, KeyState.SEEN)
        return made

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(office.workshop, "run", write_slowly)
        row = await deliver(office, server)
    assert server.caught == []
    assert row.state is (OutboxState.PENDING if is_key_known else OutboxState.PARKED)
    office.clock.now = row.due_at
    await deliver(office, server)
    kinds = [parse(caught.content).get_content_type() for caught in server.caught]
    assert kinds == ["multipart/encrypted"] * is_key_known


@pytest.mark.parametrize("state", [ReplyState.HELD, ReplyState.STALE, ReplyState.CANCELLED, ReplyState.SENT])
async def test_nothing_leaves_that_is_not_on_its_way(
    office: MailDesk, server: MailServer, state: ReplyState
) -> None:
    letter = await office.take_in(headers("bob@user.example") + entity("hi"))
    message_id = await answer(office, letter.ticket_id or 0, WORDS)
    async with office.units() as unit:
        message = await unit.messages.get(message_id)
        assert message is not None
        message.state = state
    row = await deliver(office, server)
    assert (row.state, server.caught, server.attempts) == (OutboxState.PARKED, [], 0)


async def test_a_mail_that_is_taken_back_while_it_is_written_does_not_leave(
    office: MailDesk, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    letter = await office.take_in(headers("bob@user.example") + entity("hi"))
    await answer(office, letter.ticket_id or 0, WORDS)
    write = office.workshop.run

    async def write_slowly(work: Any, *about: Any) -> Any:
        made = await write(work, *about)
        async with office.units() as unit:
            for row in await unit.outbox.in_state(OutboxState.PENDING):
                row.state = OutboxState.DROPPED if row.kind == "mail" else row.state
        return made

    monkeypatch.setattr(office.workshop, "run", write_slowly)
    await deliver(office, server)
    assert server.caught == []


@pytest.mark.parametrize("is_begun", [True, False])
async def test_our_own_fault_is_unclear_once_the_mail_is_being_handed_over(
    office: MailDesk, server: MailServer, monkeypatch: pytest.MonkeyPatch, *, is_begun: bool
) -> None:
    async def fail(*about: Any) -> None:
        if is_begun:
            await about[-1]()
        raise ValueError

    monkeypatch.setattr(outgoing, "submit", fail)
    letter = await office.take_in(headers("bob@user.example") + entity("hi"))
    message_id = await answer(office, letter.ticket_id or 0, WORDS)
    row = await deliver(office, server)
    wanted = (
        (OutboxState.DROPPED, ReplyState.UNCLEAR) if is_begun else (OutboxState.PENDING, ReplyState.LEAVING)
    )
    assert (row.state, await state_of(office, message_id)) == wanted


async def test_a_key_that_gpg_cannot_use_is_never_replaced_by_nothing(
    office: MailDesk, desk: Desk, alice: Person, server: MailServer
) -> None:
    letter = await confidential(office, desk, alice, with_key=True)
    await answer(office, letter.ticket_id or 0, WORDS)
    async with office.units() as unit:
        [key] = await unit.keys.of(address_tag(unit.vault, alice.address))
        key.armor = b"no key"
    row = await deliver(office, server)
    assert (row.state, server.caught, server.attempts) == (OutboxState.PARKED, [], 0)


async def test_without_a_key_an_answer_is_not_even_begun(office: MailDesk, desk: Desk, alice: Person) -> None:
    letter = await confidential(office, desk, alice, with_key=False)
    with pytest.raises(Refusal, match="no public key"):
        await answer(office, letter.ticket_id or 0, WORDS)


@pytest.mark.parametrize(
    ("script", "row_state", "reply"),
    [
        ("451 4.3.0 later, bob@user.example", OutboxState.PENDING, ReplyState.SENDING),
        ("554 5.7.1 never for Bob", OutboxState.PARKED, ReplyState.FAILED),
        (Oddity.HANG_UP, OutboxState.DROPPED, ReplyState.UNCLEAR),
        (Oddity.LOSE_ANSWER, OutboxState.DROPPED, ReplyState.UNCLEAR),
    ],
)
async def test_each_outcome_is_kept_and_names_nobody(
    office: MailDesk, server: MailServer, script: str | Oddity, row_state: OutboxState, reply: ReplyState
) -> None:
    server.script.append(script)
    letter = await office.take_in(headers("bob@user.example") + entity("hi"))
    message_id = await answer(office, letter.ticket_id or 0, WORDS)
    row = await deliver(office, server)
    assert (row.state, await state_of(office, message_id)) == (row_state, reply)
    assert "@" not in (row.error or "")
    assert "bob" not in (row.error or "").lower()


async def test_a_mail_put_off_is_tried_again_as_the_same_mail(office: MailDesk, server: MailServer) -> None:
    server.script.append("451 4.3.0 later")
    letter = await office.take_in(headers("bob@user.example") + entity("hi"))
    message_id = await answer(office, letter.ticket_id or 0, WORDS)
    row = await deliver(office, server)
    office.clock.now = row.due_at
    row = await deliver(office, server)
    assert await state_of(office, message_id) is ReplyState.SENT
    [caught] = server.caught
    assert parse(caught.content)["Message-ID"] == f"<{row.ref}@desk.example>"


async def test_a_mail_put_off_is_held_again_when_the_user_writes_meanwhile(
    office: MailDesk, server: MailServer
) -> None:
    server.script.append("451 4.3.0 later")
    letter = await office.take_in(headers("bob@user.example") + entity("hi"))
    message_id = await answer(office, letter.ticket_id or 0, WORDS)
    row = await deliver(office, server)
    async with office.units() as unit:
        ticket = await unit.tickets.get(letter.ticket_id or 0)
        assert ticket is not None
        token = unit.vault.reply_token(ticket.ref)
    again = headers("bob@user.example").replace(b"m1@", b"m2@") + entity("never mind")
    await office.take_in(again, token=token)
    office.clock.now = row.due_at
    row = await deliver(office, server)
    assert server.caught == []
    assert row.state is OutboxState.DROPPED
    assert await state_of(office, message_id) is ReplyState.STALE
    async with office.units() as unit:
        said = [each.payload or "" for each in await unit.outbox.in_state(OutboxState.PENDING)]
    assert any("Read it first" in each for each in said)


async def test_an_answer_to_our_answer_finds_its_ticket(office: MailDesk, server: MailServer) -> None:
    first = await office.take_in(headers("bob@user.example") + entity("hi"))
    await answer(office, first.ticket_id or 0, WORDS)
    row = await deliver(office, server)
    ours = f"<{row.ref}@desk.example>"
    raw = headers("bob@user.example", "Re: hm", f"In-Reply-To: {ours}").replace(b"m1@", b"m2@")
    second = await office.take_in(raw + entity("thanks"))
    assert (second.state, second.ticket_id) == (LetterState.FOLLOW_UP, first.ticket_id)
    foreign = headers("eve@evil.example", "Re: hm", f"In-Reply-To: {ours}").replace(b"m1@", b"m3@")
    third = await office.take_in(foreign + entity("thanks"))
    assert (third.state, third.ticket_id) == (LetterState.QUARANTINED, first.ticket_id)
    assert "somebody else" in (third.reason or "")


async def test_the_address_to_answer_to_leads_to_the_ticket(office: MailDesk, server: MailServer) -> None:
    first = await office.take_in(headers("bob@user.example") + entity("hi"))
    await answer(office, first.ticket_id or 0, WORDS)
    await deliver(office, server)
    reply_to = parse(server.caught[0].content)["Reply-To"]
    raw = headers("bob@other.example").replace(b"m1@", b"m2@") + entity("from elsewhere")
    second = await office.take_in(raw, token=split_token(reply_to)[1])
    assert (second.state, second.ticket_id) == (LetterState.FOLLOW_UP, first.ticket_id)


async def test_the_user_does_not_learn_which_letters_others_sent_into_the_ticket(
    office: MailDesk, server: MailServer
) -> None:
    first = await office.take_in(headers("bob@user.example") + entity("hi"))
    async with office.units() as unit:
        ticket = await unit.tickets.get(first.ticket_id or 0)
        assert ticket is not None
        token = unit.vault.reply_token(ticket.ref)
    other = headers("kim@other.example").replace(b"m1@user.example", b"m2@workplace.example")
    second = await office.take_in(other + entity("I know more"), token=token)
    assert (second.state, second.ticket_id) == (LetterState.FOLLOW_UP, first.ticket_id)
    await answer(office, first.ticket_id or 0, WORDS)
    await deliver(office, server)
    mail = parse(server.caught[0].content)
    assert (mail["In-Reply-To"], mail["References"]) == ("<m1@user.example>", "<m1@user.example>")
    assert b"workplace" not in server.caught[0].content


async def test_our_answer_that_comes_back_is_dropped(office: MailDesk, server: MailServer) -> None:
    letter = await office.take_in(headers("bob@user.example") + entity("hi"))
    await answer(office, letter.ticket_id or 0, WORDS)
    await deliver(office, server)
    echo = server.caught[0].content.replace(b"help@desk.example", b"list@user.example")
    assert (await office.take_in(echo)).state is LetterState.DROPPED


async def test_an_odd_message_id_of_a_stranger_does_not_stop_the_answer(
    office: MailDesk, server: MailServer
) -> None:
    raw = headers("bob@user.example").replace(b"<m1@user.example>", b"<odd id\xc3\xa9")
    letter = await office.take_in(raw + entity("hi"))
    await answer(office, letter.ticket_id or 0, WORDS)
    assert (await deliver(office, server)).state is OutboxState.SENT
    assert parse(server.caught[0].content)["References"] is None


class Witness(MailServer):
    """Looks into the desk's database while it has the mail and has not answered yet."""

    def __init__(self, office: MailDesk) -> None:
        super().__init__()
        self.office = office
        self.seen: list[OutboxState] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.seen.append((await mail_row(self.office)).state)
        return await super().handle_DATA(server, session, envelope)


async def test_that_a_mail_is_being_handed_over_is_on_disk_before_it_is(office: MailDesk) -> None:
    letter = await office.take_in(headers("bob@user.example") + entity("hi"))
    await answer(office, letter.ticket_id or 0, WORDS)
    async with Witness(office) as server:
        await deliver(office, server)
    assert server.seen == [OutboxState.SENDING]


async def test_a_mail_interrupted_while_handed_over_is_not_sent_again(
    office: MailDesk, server: MailServer
) -> None:
    letter = await office.take_in(headers("bob@user.example") + entity("hi"))
    message_id = await answer(office, letter.ticket_id or 0, WORDS)
    row_id = (await mail_row(office)).id
    async with office.units() as unit:
        row = await unit.outbox.get(row_id)
        assert row is not None
        row.state = OutboxState.SENDING
    await delivery(office, server).settle_interrupted()
    await deliver(office, server)
    assert await state_of(office, message_id) is ReplyState.UNCLEAR
    assert server.attempts == 0
