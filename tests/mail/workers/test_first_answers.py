# SPDX-License-Identifier: AGPL-3.0-or-later
"""The automatic first answer: to whom it leaves, how protected, how often, and to whom never."""

import datetime as dt
import email
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from email import policy
from pathlib import Path

import pytest

from desk.config import Rate
from desk.outbox.posts import say_from_json
from storage.models import LetterState, OutboxState, Side, Template, TemplateVariant
from tests.mail.people import Desk, Person, desk, encrypted, entity, headers, multipart
from tests.mail.sending import delivery
from tests.services.mailserver import MailServer
from tests.worlds.desk import with_intake, with_replies
from tests.worlds.mail import MailDesk, mail_desk_at

KIM = "kim@user.example"
SAMPLES = Path(__file__).parent.parent.parent / "mails" / "whisperback"
HOUR = dt.timedelta(hours=1)


@pytest.fixture(scope="module", name="desk")
def make_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk(tmp_path_factory.mktemp("keys") / "desk") as made:
        made.keyring.import_secret_key((SAMPLES / "TEST-ONLY-helpdesk-secret-key.asc").read_bytes())
        yield made


@pytest.fixture(name="office")
async def make_office(shaped: str, desk: Desk) -> AsyncIterator[MailDesk]:
    """An office whose config names the template "received"."""
    async with mail_desk_at(shaped, desk.keyring) as office:
        office.config = with_replies(office.config, first_answer="received", most_first_answers=3)
        async with office.units() as unit:
            texts = [
                TemplateVariant(language="en", text="We have it, as ticket {{ticket}.".replace("{{", "{"))
            ]
            unit._session.add(Template(name="received", variants=texts))
        yield office


async def comes(
    office: MailDesk, sender: str = KIM, *lines: str, body: bytes = b"", mail_from: str = KIM
) -> LetterState:
    """Let a letter come; return what became of it."""
    token = office.world.token()
    raw = headers(sender, "A secret question", *lines).replace(b"<m1@", f"<{token}@".encode())
    letter = await office.keep(raw + (body or entity("My secret words.")), mail_from=mail_from)
    await office.worker().work(letter)
    return (await office.letter(letter)).state


async def waiting(office: MailDesk) -> int:
    """Return how many mails are to leave."""
    async with office.units() as unit:
        return len([row for row in await unit.outbox.in_state(OutboxState.PENDING) if row.kind == "mail"])


async def told(office: MailDesk) -> list[str]:
    """Return what operators were told."""
    async with office.units() as unit:
        room = await unit.rooms.of_operators()
        rows = await unit.outbox.in_state(OutboxState.PENDING)
        return [say_from_json(row.payload or "").text for row in rows if room and row.room == room.id]


async def carry(office: MailDesk, server: MailServer) -> None:
    async with office.units() as unit:
        lanes = [row.lane for row in await unit.outbox.in_state(OutboxState.PENDING) if row.kind == "mail"]
    for lane in lanes:
        await delivery(office, server)._drain_lane(lane)


async def test_it_leaves_by_itself_says_that_it_is_automatic_and_quotes_nothing(
    office: MailDesk, server: MailServer
) -> None:
    await comes(office)
    await carry(office, server)
    [mail] = server.caught
    assert (mail.sender, mail.recipients) == ("help@desk.example", (KIM,))
    message = email.message_from_bytes(mail.content, policy=policy.default)
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["In-Reply-To"]
    assert message["Subject"] == "[#1] Help Desk"
    assert b"We have it, as ticket 1." in mail.content
    assert b"secret" not in mail.content
    async with office.units() as unit:
        ticket = await unit.tickets.get(1)
        assert ticket is not None
        assert (ticket.last_public, ticket.answered_at) == (Side.USER, None)
        [left] = await unit.tickets.left_in(None)
        assert left.id == 1


async def test_without_a_template_in_the_config_none_leaves(office: MailDesk) -> None:
    office.config = with_replies(office.config, first_answer=None)
    await comes(office)
    assert await waiting(office) == 0


async def test_of_a_confidential_ticket_it_is_encrypted_or_does_not_leave(
    office: MailDesk, desk: Desk, alice: Person, server: MailServer
) -> None:
    await comes(office, alice.address, body=encrypted(alice.encrypt(entity("secret"), desk.public)))
    assert await waiting(office) == 0
    key = multipart(
        "multipart/mixed", entity("secret"), entity(alice.public.decode(), type_="application/pgp-keys")
    )
    await comes(office, alice.address, body=encrypted(alice.encrypt(key, desk.public)))
    await carry(office, server)
    [mail] = server.caught
    assert b"We have it" not in mail.content
    assert b"multipart/encrypted" in mail.content
    assert b"Auto-Submitted: auto-replied" in mail.content


@pytest.mark.parametrize(
    "lines",
    [
        ("List-Id: <list.example>",),
        ("Precedence: bulk",),
        ("X-Auto-Response-Suppress: All",),
        ("X-RT-Loop-Prevention: rt.example.org",),
        ("Reply-To: no-reply@user.example",),
        ("Reply-To: help+token@desk.example",),
        ("Return-Path: <>", "Auto-Submitted: auto-generated"),
    ],
)
async def test_to_programs_and_to_ourselves_none_leaves(office: MailDesk, lines: tuple[str, ...]) -> None:
    await comes(office, KIM, *lines)
    assert await waiting(office) == 0


async def test_what_a_person_released_is_not_answered_by_a_program(office: MailDesk) -> None:
    letter = await office.keep(headers(KIM) + entity("hi"))
    async with office.units() as unit:
        kept = await unit.letters.get(letter)
        assert kept is not None
        kept.released_by = "@agent:desk.example"
    await office.worker().work(letter)
    assert (await office.letter(letter)).state is LetterState.TICKET
    assert await waiting(office) == 0


async def test_a_report_s_answer_goes_to_the_address_in_it_and_never_to_its_from(
    office: MailDesk, server: MailServer
) -> None:
    letter = await office.take_in((SAMPLES / "01-new-en-wifi-large.eml").read_bytes())
    assert letter.state is LetterState.TICKET
    await carry(office, server)
    [mail] = server.caught
    assert mail.recipients == ("alice.sample@example.org",)
    assert b"multipart/encrypted" in mail.content


@pytest.mark.parametrize(
    ("contact", "leave"),
    [(KIM, 1), ("noreply@user.example", 0), ("devnull@tails.boum.org", 0), ("help@desk.example", 0), ("", 0)],
)
async def test_a_report_that_names_nobody_is_not_answered(
    office: MailDesk, alice: Person, contact: str, leave: int
) -> None:
    key = alice.public.decode()
    report = f"Subject: Wifi\nFrom: {contact}\nOpenPGP-Key: included below\n\nIt is gone.\n\n{key}"
    raw = headers("devnull@tails.boum.org", f"Bug report: {'ab' * 16}") + entity(report)
    letter = await office.take_in(raw)
    assert letter.state is LetterState.TICKET
    assert await waiting(office) == leave


async def test_an_address_gets_one_a_day(office: MailDesk) -> None:
    for _ in range(3):
        await comes(office)
    await comes(office, "Kim <KIM@user.example>")
    assert await waiting(office) == 1
    await comes(office, "other@user.example")
    assert await waiting(office) == 2
    office.clock.now += 25 * HOUR
    await comes(office)
    assert await waiting(office) == 3


async def test_in_a_flood_none_leaves(office: MailDesk) -> None:
    office.config = with_intake(office.config, rate=Rate(per_sender=1, in_all=50))
    await comes(office, "eve@bomb.example", mail_from="eve@bomb.example")
    assert await waiting(office) == 1
    assert await comes(office, "eve2@bomb.example", mail_from="eve@bomb.example") is LetterState.NEW
    await comes(office)
    assert await waiting(office) == 1
    office.clock.now += 2 * HOUR
    await office.worker().work(2)
    assert (await office.letter(2)).state is LetterState.TICKET
    await comes(office, "other@user.example", mail_from="other@user.example")
    assert await waiting(office) == 3


async def test_its_words_are_in_the_ticket_s_language(office: MailDesk, server: MailServer) -> None:
    async with office.units() as unit:
        await unit.templates.write("received", "de", "Wir haben es.")
    german = "Hallo, mein WLAN geht nicht mehr, seit ich gestern die neue Version eingerichtet habe. Was nun?"
    office.config = replace(office.config, queues=(replace(office.config.queues[0], detect=True),))
    await comes(office, body=entity(german))
    await carry(office, server)
    assert b"Wir haben es." in server.caught[0].content


async def test_more_than_usual_breaks_off_and_is_told_once(office: MailDesk) -> None:
    for number in range(6):
        await comes(office, f"kim{number}@user.example")
    assert await waiting(office) == 3
    [words] = await told(office)
    assert words.startswith("3 automatic first answers have left within an hour, so none leaves")
    office.clock.now += 2 * HOUR
    for number in range(10, 15):
        await comes(office, f"kim{number}@user.example")
    assert await waiting(office) == 6
    assert len(await told(office)) == 2


async def test_a_template_that_is_not_there_is_told_once(office: MailDesk) -> None:
    office.config = with_replies(office.config, first_answer="gone")
    await comes(office)
    await comes(office, "other@user.example")
    assert await waiting(office) == 0
    [words] = await told(office)
    assert words.startswith("No automatic first answer leaves: There is no template “gone”.")
