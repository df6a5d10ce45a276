# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reports that our mail was not delivered, as mail servers write them, and as others forge them."""

from collections.abc import AsyncIterator, Iterator

import pytest

from desk.intake.bounces import words_of
from desk.outbox.posts import say_from_json
from mail.mime.parts import read_parts
from mail.origin.delivery_reports import read_bounce
from storage.models import Letter, LetterState, Message, MessageKind, OutboxState, ReplyState, Side, Ticket
from tests.mail.people import Desk, desk, entity, headers, multipart
from tests.worlds.mail import AGENT, MailDesk, mail_desk_at

ALICE, OURS = "alice@user.example", "<answer1@desk.example>"
MX = "Mail Delivery System <MAILER-DAEMON@mx.user.example>"
SAYS = "Alice the agent moved to 12 Secret Street"


@pytest.fixture(scope="module", name="desk")
def make_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk(tmp_path_factory.mktemp("keys") / "desk") as made:
        yield made


@pytest.fixture(name="office")
async def make_office(shaped: str, desk: Desk) -> AsyncIterator[MailDesk]:
    """A ticket of Alice's whose answer has left."""
    async with mail_desk_at(shaped, desk.keyring) as office:
        await office.take_in(headers(ALICE) + entity("Hello."))
        await answered(office)
        yield office


async def answered(office: MailDesk, message_id: str = OURS) -> None:
    """Note that an answer has left under this Message-ID."""
    async with office.units() as unit:
        ticket = await unit.tickets.get(1, lock=True)
        assert ticket is not None
        message = Message(
            ref=message_id,
            ticket=ticket,
            kind=MessageKind.OUT,
            at=office.world.now(),
            author=AGENT,
            state=ReplyState.SENT,
            message_id_tag=unit.messages.message_id_tag(message_id),
        )
        message.text, message.details = "An answer.", '{"room":1}'
        await unit.messages.add(message)
        ticket.last_public = Side.DESK


def recipient(action: str, status: str, address: str = ALICE) -> str:
    return (
        f"Original-Recipient: rfc822;{address}\nFinal-Recipient: rfc822; {address}\nAction: {action}\n"
        f"Status: {status}\nRemote-MTA: dns; mx.user.example\nDiagnostic-Code: smtp; 550 {SAYS}"
    )


def report(*recipients: str, returned: str = f"Message-ID: {OURS}\nSubject: ...", number: int = 1) -> bytes:
    """Return a DSN (RFC 3464) as Postfix writes it."""
    status = "\n\n".join(["Reporting-MTA: dns; mx.user.example", *recipients])
    body = multipart(
        "multipart/report; report-type=delivery-status",
        entity(f"I am sorry. {SAYS} <{ALICE}>"),
        entity(status, type_="message/delivery-status"),
        entity(returned, type_="text/rfc822-headers"),
    )
    return headers(MX, "Undelivered Mail").replace(b"<m1@", b"<bounce%d@" % number) + body


async def bounce(office: MailDesk, raw: bytes, *, token: str | None = None) -> tuple[Letter, list[str]]:
    """Take a bounce in; return its letter and what is said of it."""
    before = len(await said(office))
    letter_id = await office.keep(raw, mail_from="", token=token)
    await office.worker().work(letter_id)
    return await office.letter(letter_id), (await said(office))[before:]


async def called(office: MailDesk) -> list[bool]:
    """Tell of all that is said whether it calls whoever is responsible."""
    async with office.units() as unit:
        rows = await unit.outbox.in_state(OutboxState.PENDING)
        return [say_from_json(row.payload or "").calls for row in rows if row.kind == "say"]


async def said(office: MailDesk) -> list[str]:
    async with office.units() as unit:
        rows = await unit.outbox.in_state(OutboxState.PENDING)
        return [say_from_json(row.payload or "").text for row in rows if row.kind == "say"]


async def look(office: MailDesk) -> tuple[Ticket, Message]:
    """Return the ticket and its first answer."""
    async with office.units() as unit:
        ticket = await unit.tickets.get(1)
        assert ticket is not None
        answer = next(each for each in await unit.messages.of(ticket) if each.kind is MessageKind.OUT)
        answer.data_key()
        return ticket, answer


async def test_a_failed_delivery_is_told_in_words_of_ours_and_the_ticket_is_left_again(
    office: MailDesk,
) -> None:
    letter, told = await bounce(office, report(recipient("failed", "5.1.1")))
    assert (letter.state, letter.ticket_id) == (LetterState.FOLLOW_UP, 1)
    assert told == ["The answer was reported as not delivered: there is no such mailbox (5.1.1)."]
    ticket, answer = await look(office)
    assert (answer.state, ticket.last_public) == (ReplyState.BOUNCED, Side.USER)
    async with office.units() as unit:
        assert await unit.tickets.left_in(None)
    assert (await called(office))[-1]


async def test_a_delay_is_told_as_one_and_changes_nothing(office: MailDesk) -> None:
    _, told = await bounce(office, report(recipient("delayed", "4.4.1")))
    words = "delayed, and still being tried: the other server does not answer (4.4.1)"
    assert told == [f"The answer was reported as {words}."]
    ticket, answer = await look(office)
    assert (answer.state, ticket.last_public) == (ReplyState.SENT, Side.DESK)
    await bounce(office, report(recipient("failed", "4.4.7"), number=2))
    assert (await look(office))[1].state is ReplyState.BOUNCED


async def test_of_several_recipients_the_user_counts(office: MailDesk) -> None:
    both = (recipient("delivered", "2.0.0"), recipient("failed", "5.2.2", "other@user.example"))
    _, told = await bounce(office, report(*both))
    assert told == ["The answer was reported as delivered (2.0.0)."]
    assert (await look(office))[1].state is ReplyState.SENT


async def test_several_addresses_behind_the_user_s_are_counted(office: MailDesk) -> None:
    several = [recipient("failed", "5.2.2", f"a{number}@user.example") for number in range(3)]
    _, told = await bounce(office, report(*several, recipient("delayed", "4.2.2", "b@user.example")))
    assert told[0].endswith(
        "not delivered: the mailbox is full (5.2.2) (3 addresses); "
        "delayed, and still being tried: the mailbox is full (4.2.2)."
    )
    assert (await look(office))[1].state is ReplyState.SENT


@pytest.mark.parametrize("by", ["returned mail", "envelope"])
async def test_a_reply_token_names_the_ticket_and_the_one_answer(office: MailDesk, by: str) -> None:
    async with office.units() as unit:
        ticket = await unit.tickets.get(1)
        assert ticket is not None
        token = unit.vault.reply_token(ticket.ref)
    returned = f"Reply-To: help+{token}@desk.example" if by == "returned mail" else "Subject: ..."
    raw = report(recipient("failed", "5.1.1"), returned=returned)
    letter, told = await bounce(office, raw, token=token if by == "envelope" else None)
    assert letter.ticket_id == 1
    assert told[0].startswith("The answer was reported as not delivered")
    await answered(office, "<answer2@desk.example>")
    await answered(office, "<answer3@desk.example>")
    _, told = await bounce(
        office, report(recipient("failed", "5.1.1"), returned=returned, number=2), token=token
    )
    assert told == ["A mail of this ticket was reported as not delivered: there is no such mailbox (5.1.1)."]


async def test_a_bounce_in_words_alone_is_known_by_the_mail_it_quotes(office: MailDesk) -> None:
    raw = headers(MX, "failure notice").replace(b"<m1@", b"<qmail@")
    raw += entity(f"Hi. This is the program.\n{SAYS}\n\n--- Below this line\nMessage-ID: {OURS}\nSubject: x")
    letter, told = await bounce(office, raw)
    assert (letter.state, letter.ticket_id) == (LetterState.FOLLOW_UP, 1)
    assert told[0].startswith("A bounce came back for this ticket. `!quarantine show ")


@pytest.mark.parametrize(
    "returned", ["Message-ID: <other@desk.example>", f"Reply-To: help+{'a' * 16}@desk.example", ""]
)
async def test_a_bounce_that_answers_none_of_ours_is_put_aside(office: MailDesk, returned: str) -> None:
    letter, told = await bounce(office, report(recipient("failed", "5.1.1"), returned=returned))
    assert (letter.state, letter.ticket_id) == (LetterState.QUARANTINED, None)
    assert told[0].startswith(f"Letter {letter.id} is in quarantine: an automatic mail (bounce)")
    assert (await look(office))[1].state is ReplyState.SENT


@pytest.mark.parametrize(
    "group",
    [
        recipient("failed", f"5.1.1 {SAYS}"),
        recipient("failed", SAYS),
        recipient("failed", ""),
        f"Action: failed ({SAYS})\nStatus: 5.1.1\nFinal-Recipient: {SAYS}",
    ],
)
async def test_nothing_that_others_wrote_is_said(office: MailDesk, group: str) -> None:
    _, told = await bounce(office, report(group))
    assert told[0].startswith("The answer was reported as not delivered")
    async with office.units() as unit:
        rows = await unit.outbox.in_state(OutboxState.PENDING)
        payloads = "".join(row.payload or "" for row in rows)
    assert "Secret" not in payloads
    assert ALICE not in payloads
    assert "Secret" not in ((await look(office))[1].details or "")


@pytest.mark.parametrize("action", ["exploded", "", "failed@x"])
async def test_an_unknown_fate_is_no_fate(office: MailDesk, action: str) -> None:
    _, told = await bounce(office, report(recipient(action, "5.1.1")))
    assert told[0].startswith("A bounce came back for this ticket. `!quarantine show ")
    assert (await look(office))[1].state is ReplyState.SENT


@pytest.mark.parametrize(("status", "action"), [("5.1.1", "failed"), ("4.4.1", "delayed")])
async def test_a_closed_ticket_whose_answer_was_not_delivered_is_left_again(
    office: MailDesk, status: str, action: str
) -> None:
    async with office.units() as unit:
        ticket = await unit.tickets.get(1, lock=True)
        assert ticket is not None
        ticket.closed_at = office.world.now()
    _, [told] = await bounce(office, report(recipient(action, status)))
    is_open = action == "failed"
    assert told.endswith("The ticket is open again.") == is_open
    async with office.units() as unit:
        assert bool(await unit.tickets.left_in(None)) == is_open
    await bounce(office, report(recipient("failed", "5.1.1"), number=2))
    async with office.units() as unit:
        assert await unit.tickets.left_in(None)


async def test_a_bounce_comes_too_late_for_what_did_not_leave(office: MailDesk) -> None:
    async with office.units() as unit:
        answer = (await look(office))[1]
        held = await unit.messages.get(answer.id)
        assert held is not None
        held.state = ReplyState.CANCELLED
    await bounce(office, report(recipient("failed", "5.1.1")))
    assert (await look(office))[1].state is ReplyState.CANCELLED


async def test_a_newer_answer_keeps_the_ticket_answered(office: MailDesk) -> None:
    await answered(office, "<answer2@desk.example>")
    await bounce(office, report(recipient("failed", "5.1.1")))
    ticket, answer = await look(office)
    assert (answer.state, ticket.last_public) == (ReplyState.BOUNCED, Side.DESK)


def test_a_report_of_thousands_of_recipients_is_cut() -> None:
    groups = [recipient("failed", "5.1.1", f"a{number}@b.example") for number in range(5000)]
    found = read_bounce(read_parts(report(*groups)))
    assert len(found.fates) == 100
    assert found.message_ids == (OURS,)


@pytest.mark.parametrize(
    ("action", "code", "words"),
    [
        ("failed", "", "not delivered"),
        ("failed", "5.1.1", "not delivered: there is no such mailbox (5.1.1)"),
        ("failed", "5.7.509", "not delivered: the other server refuses it for reasons of its own (5.7.509)"),
        ("failed", "5.9.9", "not delivered (5.9.9)"),
        ("failed", "5.0.0", "not delivered (5.0.0)"),
        ("relayed", "2.1.9", "passed on to a server that reports nothing (2.1.9)"),
    ],
)
def test_codes_are_told_in_words(action: str, code: str, words: str) -> None:
    assert words_of(action, code) == words


@pytest.mark.parametrize("sender", ["MAILER-DAEMON", MX])
@pytest.mark.parametrize("field", [f"Message-ID: {OURS}", f"Message-ID:\n {OURS}", f"> Message-Id: {OURS}"])
async def test_a_bounce_of_an_old_server_finds_its_ticket(office: MailDesk, sender: str, field: str) -> None:
    """As qmail writes them: no parts, and a copy of the mail below a line."""
    words = f"Hi. This is a program.\n\n--- Below this line is a copy.\n\n{field}\nSubject: Re\n"
    letter = await office.take_in(headers(sender).replace(b"<m1@", b"<m9@") + entity(words))
    assert (letter.state, letter.ticket_id, letter.reason) == (LetterState.FOLLOW_UP, 1, "bounce")


async def test_a_bounce_of_exchange_in_html_alone_finds_its_ticket(office: MailDesk) -> None:
    page = (
        "<html><head><style>p {margin: 0}</style></head><body><p><b>Delivery has failed to these recipients "
        "or groups:</b></p><p>Original message headers:</p><pre>Received: from a by b<br>\n"
        f"Message-ID: &lt;{OURS[1:-1]}&gt;<br>\nSubject: Re</pre></body></html>"
    )
    raw = headers("Microsoft Outlook <exchange@user.example>", "Undeliverable: Re")
    letter, told = await bounce(office, raw.replace(b"<m1@", b"<m9@") + entity(page, type_="text/html"))
    assert (letter.state, letter.ticket_id) == (LetterState.FOLLOW_UP, 1)
    assert told[0].startswith("A bounce came back for this ticket. `!quarantine show ")


def complaint(returned: str = f"Message-ID: {OURS}\nSubject: ...") -> bytes:
    """Return a complaint (RFC 5965) as mail providers write it."""
    body = multipart(
        "multipart/report; report-type=feedback-report",
        entity("This is an abuse report."),
        entity("Feedback-Type: abuse\nUser-Agent: x/1\nVersion: 1", type_="message/feedback-report"),
        entity(returned, type_="text/rfc822-headers"),
    )
    return headers("abuse@mx.user.example", "FW: x").replace(b"<m1@", b"<arf@") + body


async def test_a_complaint_is_told_as_one_and_is_no_bounce(office: MailDesk) -> None:
    letter, told = await bounce(office, complaint())
    assert (letter.state, letter.ticket_id, letter.reason) == (LetterState.FOLLOW_UP, 1, "complaint")
    assert told == ["The answer was reported as unwanted mail, as by a button in somebody's mail program."]
    assert not any(await called(office))
    ticket, answer = await look(office)
    assert (answer.state, ticket.last_public) == (ReplyState.SENT, Side.DESK)


async def test_a_complaint_about_none_of_ours_is_put_aside(office: MailDesk) -> None:
    letter, _ = await bounce(office, complaint("Message-ID: <other@x.example>"))
    assert (letter.state, letter.reason) == (
        LetterState.QUARANTINED,
        "a complaint about unwanted mail that names none of ours",
    )


ASKS = "Unable to deliver my mails:\n\n550 5.1.1 No such user\n\nWhat is that?"


@pytest.mark.parametrize("by", ["token", "reference", "nothing"])
async def test_a_party_may_ask_about_a_bounce_in_the_words_of_one(office: MailDesk, by: str) -> None:
    async with office.units() as unit:
        ticket = await unit.tickets.get(1)
        assert ticket is not None
        token = unit.vault.reply_token(ticket.ref) if by == "token" else None
    named = f"In-Reply-To: {OURS}\r\n" if by == "reference" else ""
    raw = named.encode() + headers(ALICE, "Mail delivery failed").replace(b"<m1@", b"<m9@") + entity(ASKS)
    letter_id = await office.keep(raw, mail_from=ALICE, token=token)
    await office.worker().work(letter_id)
    letter = await office.letter(letter_id)
    if by == "nothing":
        assert (letter.state, letter.ticket_id) == (LetterState.QUARANTINED, None)
        return
    assert (letter.state, letter.ticket_id, letter.reason) == (LetterState.FOLLOW_UP, 1, "")
    async with office.units() as unit:
        ticket = await unit.tickets.get(1)
        assert ticket is not None
        assert "What is that?" in (await unit.messages.of(ticket))[-1].text
