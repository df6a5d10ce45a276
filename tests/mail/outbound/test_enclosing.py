# SPDX-License-Identifier: AGPL-3.0-or-later
"""Files leave with answers, inside of what is encrypted or signed, and arrive as the same bytes."""

import datetime as dt
import email
import os
from email import policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pysequoia import Cert, Tsk, decrypt

from desk.replies import drafts
from desk.replies.drafts import Answer
from mail.outbound.attach import EnclosedFile, file_part
from mail.outbound.compose import Encrypting, OutgoingLetter, compose
from mail.reading.open_letter import open_letter
from storage.models import OutboxState, OutgoingFile
from tests.mail.outbound.test_outgoing import confidential
from tests.mail.people import Desk, Person, entity, headers
from tests.mail.reading.test_independent_readers import payload, read_with_notmuch
from tests.mail.sending import deliver
from tests.services.mailserver import MailServer
from tests.worlds.mail import AGENT, MailDesk

NAMES = (
    "shot.png",
    "снимок экрана, 2-й (копия) – с очень длинным именем файла.png",
    'a"b;c.txt',
    "50% & more.txt",
)


async def wait_in(office: MailDesk, number: int, *files: EnclosedFile) -> None:
    """Let files wait for the next answer, as when they were attached."""
    async with office.units() as unit:
        ticket = await unit.tickets.get(number)
        assert ticket is not None
        for file in files:
            kept = OutgoingFile(ref=office.world.token(), ticket=ticket, asked_at=office.world.now())
            kept.name, kept.media_type, kept.content = file.name, file.media_type, file.content
            kept.size = len(file.content)
            await unit.enclosures.add(kept)


async def answer(office: MailDesk, number: int) -> None:
    """Hold an answer with all files that wait, and send it."""
    async with office.units() as unit:
        ticket = await unit.tickets.get(number, lock=True)
        assert ticket is not None
        said = Answer(AGENT, "See the files.", office.world.now(), takes_files=True)
        draft = await drafts.begin(office.work(unit), ticket, said)
        await drafts.send(office.work(unit), draft)


def parse(raw: bytes) -> EmailMessage:
    return email.message_from_bytes(raw, policy=policy.default)


def files_in(message: EmailMessage) -> list[tuple[str | None, str, bytes]]:
    """Return name, type and bytes of a mail's files."""
    return [
        (part.get_filename(), part.get_content_type(), payload(part)) for part in message.iter_attachments()
    ]


SENT = [EnclosedFile(name, "image/png", os.urandom(3000) + name.encode()) for name in NAMES]
AS_SENT = [(file.name, file.media_type, file.content) for file in SENT]


async def test_files_leave_inside_the_ciphertext_and_arrive_as_they_are(
    office: MailDesk, desk: Desk, alice: Person, server: MailServer
) -> None:
    letter = await confidential(office, desk, alice, with_key=True)
    await wait_in(office, letter.ticket_id or 0, *SENT)
    await answer(office, letter.ticket_id or 0)
    assert (await deliver(office, server)).state is OutboxState.SENT
    [caught] = server.caught
    assert parse(caught.content).get_content_type() == "multipart/encrypted"
    assert not any(word in caught.content for word in (b"shot.png", b"image/png", b"filename*", b"See the"))
    sealed = payload(list(parse(caught.content).iter_parts())[1])
    alice.gpg("--import", data=desk.public)
    inner = parse(alice.gpg("--decrypt", data=sealed))
    assert inner.get_content_type() == "multipart/mixed"
    assert inner["Content-Type"].params["hp"] == "cipher"
    body = inner.get_body()
    assert body is not None
    assert body["Content-Type"].params["hp-legacy-display"] == "1"
    assert files_in(inner) == AS_SENT
    secret = Tsk.from_bytes(alice.gpg("--armor", "--export-secret-keys"))
    queue = Cert.from_bytes(desk.public)
    opened = decrypt(sealed, decryptor=secret.decryptor(), store=lambda _: [queue])
    assert files_in(parse(opened.bytes)) == AS_SENT
    assert len(opened.valid_sigs) == 1


async def test_files_of_a_mail_in_clear_are_signed(
    office: MailDesk, desk: Desk, server: MailServer, alice: Person, tmp_path: Path
) -> None:
    letter = await office.take_in(headers("bob@user.example") + entity("hi"))
    await wait_in(office, letter.ticket_id or 0, *SENT)
    await answer(office, letter.ticket_id or 0)
    await deliver(office, server)
    raw = server.caught[0].content
    alice.gpg("--import", data=desk.public)
    shown = read_with_notmuch(tmp_path / "box", alice, raw)
    [signature] = shown["crypto"]["signed"]["status"]
    assert signature["status"] == "good"
    mixed = shown["body"][0]["content"][0]
    assert mixed["content-type"] == "multipart/mixed"
    assert [part.get("filename") for part in mixed["content"]] == [None, *NAMES]
    [signed, _] = parse(raw).iter_parts()
    assert isinstance(signed, EmailMessage)
    assert files_in(signed) == AS_SENT
    assert max(map(len, raw.split(b"\r\n"))) <= 998


async def test_an_answer_whose_file_is_not_there_does_not_leave_without_it(
    office: MailDesk, server: MailServer
) -> None:
    letter = await office.take_in(headers("bob@user.example") + entity("hi"))
    await wait_in(office, letter.ticket_id or 0, SENT[0])
    await answer(office, letter.ticket_id or 0)
    async with office.units() as unit:
        kept = await unit.enclosures.get(1)
        assert kept is not None
        kept.content = None
    row = await deliver(office, server)
    assert (row.state, row.error) == (OutboxState.PARKED, "A file of this answer has not been fetched.")
    assert server.attempts == 0


@pytest.mark.parametrize("files", [(), (SENT[1],)])
def test_our_own_reader_hides_the_copy_of_the_subject_and_finds_the_files(
    desk: Desk, files: tuple[EnclosedFile, ...]
) -> None:
    signer = desk.keyring.secret_keys()[0].fingerprint
    letter = OutgoingLetter(
        sender="help@desk.example",
        sender_name="Help",
        recipient="help@desk.example",
        subject="Re: [#1] Wo ist mein Gerät?",
        text="Subject: to be read\n\nHere.\n",
        message_id="<a@desk.example>",
        date=dt.datetime(2026, 3, 1, tzinfo=dt.UTC),
        files=files,
    )
    opened = open_letter(compose(letter, Encrypting(desk.keyring, signer, (desk.public,))), desk.keyring)
    assert opened.headers.subject == "Re: [#1] Wo ist mein Gerät?"
    assert opened.headers.protected
    assert opened.text.rstrip("\n") == "Subject: to be read\n\nHere."
    assert [(each.name, each.size) for each in opened.attachments] == [
        (file.name, len(file.content)) for file in files
    ]


@pytest.mark.parametrize("media_type", ["", "message/rfc822", "text/plain\r\nX: y", "multipart/mixed"])
def test_what_is_no_type_of_a_file_makes_no_part(media_type: str) -> None:
    with pytest.raises(ValueError, match="no media type"):
        file_part(EnclosedFile("a", media_type, b""))


@given(name=st.text(max_size=200), content=st.binary(max_size=500))
def test_any_name_is_read_back_as_it_was(name: str, content: bytes) -> None:
    part = parse(file_part(EnclosedFile(name, "text/plain", content)))
    assert payload(part) == content
    assert {each.lower() for each in part} == {
        "content-type",
        "content-transfer-encoding",
        "content-disposition",
    }
    # Its readers take blanks off a name's ends.
    assert (part.get_filename() or "") == name.encode("utf-8", "replace").decode().strip()
