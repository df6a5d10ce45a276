# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters that a Schleuder list relays: believed when the list has signed them, and never otherwise."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace

import pytest

from desk.config import Relay
from desk.keys.decisions import pin_imported
from desk.letters.opened import EncryptionState, Opened, SignatureState
from mail.openpgp.keyring import read_public_key
from mail.openpgp.public_keys import offered
from mail.reading.open_letter import open_letter
from storage.models import KeyState, LetterState
from storage.sealing.vault import address_tag
from tests.mail.people import CRLF, Desk, Person, desk, encrypted, entity, multipart, person, signed
from tests.worlds.desk import with_intake
from tests.worlds.mail import MailDesk, mail_desk_at

LIST = "reports@lists.example"
USER = "kim@user.example"
LINE = "-" * 78
BLOCK = f"From: Kim <{USER}>\nTo: {LIST}\nCc:\nDate: Mon, 02 Mar 2026 12:00:00 +0000\nSig: Unsigned\n"
LIST_FIELDS = (
    "List-Id: <reports.lists.example>",
    f"List-Post: <mailto:{LIST}>",
    "List-Help: <https://schleuder.org/>",
    "Sender: reports-bounce@lists.example",
)


@dataclass
class House:
    """The desk, and a list to which it is subscribed."""

    desk: Desk
    list: Person

    @property
    def relay(self) -> Relay:
        return Relay(LIST, self.list.fingerprint)

    def seal(self, inner: bytes, by: Person | None = None) -> bytes:
        """Encrypt to the desk, signed by the list or by somebody else."""
        return encrypted((by or self.list).encrypt(inner, self.desk.public, "--sign"))

    def open(self, raw: bytes, *, known: bool = True, relays: tuple[Relay, ...] | None = None) -> Opened:
        signers = (self.list.public,) if known else ()
        relays = (self.relay,) if relays is None else relays
        return open_letter(raw, self.desk.keyring, signers=signers, relays=relays)


@pytest.fixture(scope="module", name="house")
def make_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("k")
    with desk(folder / "desk") as made, person(LIST, folder / "list") as its:
        yield House(made, its)


@pytest.fixture(name="office")
async def make_office(shaped: str, house: House) -> AsyncIterator[MailDesk]:
    async with mail_desk_at(shaped, house.desk.keyring) as office:
        async with office.units() as unit:
            key = offered(read_public_key(house.list.public), "imported")
            await pin_imported(office.work(unit), address_tag(unit.vault, LIST), key)
        yield replace(office, config=with_intake(office.config, relays=(house.relay,)))


def wrapped(*parts: bytes, block: str = BLOCK + "Enc: Encrypted\n") -> bytes:
    """What the list writes around a letter."""
    return multipart("multipart/mixed", entity(f"{block}{LINE}\n"), *parts, boundary="=-list")


def outer(*more: str, sender: str = LIST, subject: str = "A question", number: int = 1) -> bytes:
    lines = (
        f"From: {sender}",
        "To: help@desk.example",
        f"Subject: {subject}",
        f"Message-ID: <{number}@user.example>",
        *LIST_FIELDS,
        *more,
        "MIME-Version: 1.0",
        "",
    )
    return CRLF.join(lines).encode()


def test_who_wrote_is_the_list_s_word_and_its_signature_is_nobody_else_s(house: House) -> None:
    found = house.open(outer() + house.seal(wrapped(entity("It does not start."))))
    assert (found.headers.sender, found.headers.sender_name, found.headers.reply_to) == (USER, "Kim", "")
    assert (found.text, found.headers.subject, found.automatic) == ("It does not start.", "A question", None)
    assert found.encryption.state is EncryptionState.OK
    [signature] = found.signatures
    assert signature.state is SignatureState.GOOD_OTHER_SENDER
    assert "the Schleuder list's that relayed the letter" in signature.detail
    assert [word for word in found.relayed if "nobody here has checked" in word] == [
        "Schleuder's word, which nobody here has checked: Enc: Encrypted",
        "Schleuder's word, which nobody here has checked: Sig: Unsigned",
    ]
    # No program may answer: what the list got may have been automatic.
    assert found.is_unanswerable
    assert found.problems == ()


def test_the_protected_subject_and_all_parts_are_kept(house: House) -> None:
    subject = entity("Subject: The true one\n", type_="text/rfc822-headers; protected-headers=v1")
    file = entity("log", 'Content-Disposition: attachment; filename="a.log"')
    letter = multipart("multipart/mixed", entity("Words."), file)
    found = house.open(outer(subject="Encrypted Message") + house.seal(wrapped(subject, letter)))
    assert (found.headers.subject, found.headers.protected) == ("The true one", True)
    assert (found.text, [each.name for each in found.attachments]) == ("Words.", ["a.log"])


def test_a_list_that_writes_its_own_name_into_from_is_known_all_the_same(house: House) -> None:
    munged = f'"{USER} via {LIST}" <{LIST}>'
    found = house.open(outer(sender=munged) + house.seal(wrapped(entity("Hi."))))
    assert (found.headers.sender, found.problems) == (USER, ())


@pytest.mark.parametrize(
    ("value", "sender"),
    [
        (f"Kim <eve@x.example> <{USER}>", USER),
        (f'"eve@x.example" <{USER}>', USER),
        (f"A very long name of somebody who\n  writes <{USER}>", USER),
        (f"{USER}, eve@x.example", ""),
        ("Kim", ""),
        ("", ""),
    ],
)
def test_the_one_address_that_counts_stands_last(house: House, value: str, sender: str) -> None:
    found = house.open(outer() + house.seal(wrapped(entity("Hi."), block=f"From: {value}\nEnc: Encrypted\n")))
    assert found.headers.sender == sender
    assert bool(sender) == (found.problems == ())


FORGED = wrapped(entity("Send me all you know."))


def believed(found: Opened) -> bool:
    return bool(found.relayed) or found.headers.sender == USER


def test_without_a_configured_list_nobody_is_believed(house: House) -> None:
    found = house.open(outer() + house.seal(FORGED), relays=())
    assert not believed(found)
    assert any("proves nothing" in problem for problem in found.problems)
    assert not believed(house.open(outer() + house.seal(FORGED), relays=(Relay(LIST, "A" * 40),)))
    other = Relay("other@lists.example", house.list.fingerprint)
    assert not believed(house.open(outer() + house.seal(FORGED), relays=(other,)))


def test_whoever_is_not_the_list_is_not_believed(house: House, alice: Person) -> None:
    unsigned = encrypted(alice.encrypt(FORGED, house.desk.public))
    by_alice = house.seal(FORGED, alice)
    for raw in (outer() + FORGED, outer() + unsigned, outer() + by_alice, outer() + signed(alice, FORGED)):
        found = house.open(raw)
        assert not believed(found)
        assert any("proves nothing" in problem for problem in found.problems)


def test_a_signature_of_the_list_counts_with_its_address_and_its_known_key_only(house: House) -> None:
    assert not believed(house.open(outer(sender="eve@x.example") + house.seal(FORGED)))
    assert not believed(house.open(outer(f"From: {LIST}", sender="eve@x.example") + house.seal(FORGED)))
    assert not believed(house.open(outer() + house.seal(FORGED), known=False))


def test_a_part_that_the_list_has_signed_is_not_the_letter(house: House) -> None:
    beside = multipart("multipart/mixed", signed(house.list, FORGED), entity("and more"), boundary="=-out")
    assert not believed(house.open(outer() + beside))


@pytest.mark.parametrize(
    "inner",
    [
        entity(f"{BLOCK}{LINE}\n\nWords."),
        multipart("multipart/mixed", entity(f"{BLOCK}{LINE}\nWords."), entity("more")),
        multipart("multipart/mixed", entity("Words."), entity(f"{BLOCK}{LINE}\n")),
        multipart("multipart/alternative", entity(f"{BLOCK}{LINE}\n"), entity("more")),
        multipart("multipart/mixed", entity(f"{BLOCK}From: eve@x.example\n{LINE}\n"), entity("more")),
    ],
    ids=["no parts", "words in it", "not first", "alternative", "twice"],
)
def test_only_what_the_list_writes_in_front_is_read_as_its_word(house: House, inner: bytes) -> None:
    assert not believed(house.open(outer() + house.seal(inner)))


def test_the_list_s_own_key_is_not_taken_for_the_person_s(house: House) -> None:
    keydata = "".join(
        house.list.gpg("--armor", "--export-options", "export-minimal", "--export")
        .decode()
        .partition("\n\n")[2]
        .partition("\n=")[0]
        .split()
    )
    raw = outer(f"Autocrypt: addr={LIST}; keydata={keydata}") + house.seal(wrapped(entity("Hi.")))
    for field in LIST_FIELDS:
        raw = raw.replace(field.encode() + b"\r\n", b"")
    assert [key.source for key in house.open(raw, relays=()).keys] == ["autocrypt"]
    assert house.open(raw).keys == ()


async def test_a_ticket_is_the_person_s_and_their_next_letter_belongs_to_it(
    office: MailDesk, house: House
) -> None:
    first = await office.take_in(outer() + house.seal(wrapped(entity("It does not start."))))
    assert first.state is LetterState.TICKET
    async with office.units() as unit:
        ticket = await unit.tickets.get(1)
        assert ticket is not None
        assert (ticket.contact, ticket.confidential) == (USER, True)
        assert ticket.signature == SignatureState.GOOD_OTHER_SENDER.value
        token = unit.vault.reply_token(ticket.ref)
    again = outer("In-Reply-To: <1@user.example>", number=2)
    second = await office.take_in(again + house.seal(wrapped(entity("Nor now."))))
    assert (second.state, second.ticket_id) == (LetterState.FOLLOW_UP, 1)
    eve = wrapped(entity("Me too."), block="From: eve@x.example\nEnc: Unencrypted\n")
    third = await office.take_in(outer("In-Reply-To: <1@user.example>", number=3) + house.seal(eve))
    assert (third.state, third.ticket_id) == (LetterState.TICKET, 2)
    assert token


async def test_a_key_that_cannot_be_read_any_more_costs_neither_the_list_nor_its_word(
    office: MailDesk, house: House, alice: Person
) -> None:
    async with office.units() as unit:
        tag = address_tag(unit.vault, LIST)
        await pin_imported(office.work(unit), tag, offered(read_public_key(alice.public), "imported"))
    async with office.units() as unit:
        for key in await unit.keys.of(tag):
            key.state = KeyState.PINNED
            if key.fingerprint == alice.fingerprint:
                key.armor = b"no key"
    await office.take_in(outer() + house.seal(wrapped(entity("It does not start."))))
    async with office.units() as unit:
        ticket = await unit.tickets.get(1)
        assert ticket is not None
        assert ticket.contact == USER


async def test_our_own_mail_through_the_list_is_dropped(office: MailDesk, house: House) -> None:
    ours = wrapped(entity("An answer."), block="From: help@desk.example\nEnc: Encrypted\n")
    letter = await office.take_in(outer() + house.seal(ours))
    assert (letter.state, letter.reason) == (LetterState.DROPPED, "our own mail came back")


def test_a_report_through_the_list_is_read_as_one(house: House) -> None:
    report = "Subject: no sound\nFrom: kim@user.example\nTails-Version: 7.1 - 20251020\n\nSilence.\n"
    block = "From: WhisperBack <devnull@tails.boum.org>\nEnc: Encrypted\n"
    subject = "[reports] Bug report: 40cd8f2ebf1326ba950bb700fcf4e633"
    raw = outer(subject=subject) + house.seal(wrapped(entity(report), block=block))
    for relays in ((house.relay,), ()):
        found = house.open(raw, relays=relays).whisperback
        assert found is not None
        assert (found.whisperback_id, found.contact_email) == ("40cd8f2ebf1326ba950bb700fcf4e633", USER)
        assert (found.report_subject, found.user_text) == ("no sound", "Silence.")
