# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters are opened once more after a key has come, and lose nothing by it."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from desk.intake import recheck as rechecking
from desk.world import Refusal
from mail.openpgp.keyring import Keyring, KeyringUnusable, read_public_key
from mail.workers.recheck import Rechecker
from storage.engine.troubles import StorageTrouble
from storage.models import KeyState, Message, OutboxState, Ticket
from storage.sealing.vault import address_tag
from tests.mail.people import Person, desk, encrypted, entity, headers, multipart, person, signed
from tests.worlds.desk import delivery_of
from tests.worlds.mail import MailDesk, mail_desk_at

SAMPLES = Path(__file__).parent.parent.parent / "mails" / "whisperback"
KEY = "application/pgp-keys"


@pytest.fixture(name="office")
async def make_office(shaped: str, tmp_path: Path) -> AsyncIterator[MailDesk]:
    with desk(tmp_path / "keys") as made:
        async with mail_desk_at(shaped, made.keyring) as office:
            yield office


async def recheck(office: MailDesk, number: int, *, keyring: Keyring | None = None) -> list[str]:
    """Have a ticket's letters opened again, by all that carry rows at once; return what is said of it."""
    async with office.units() as unit:
        ticket = await unit.tickets.get(number, lock=True)
        assert ticket is not None
        await rechecking.ask(office.work(unit), ticket)
    rechecker = Rechecker(office.place, office.opener(keyring))
    delivery = delivery_of(office.place, {rechecking.RECHECK: rechecker})
    await delivery._drain_lane(f"recheck:{number}")
    return await said(office)


async def said(office: MailDesk) -> list[str]:
    async with office.units() as unit:
        rows = await unit.outbox.in_state(OutboxState.PENDING)
        return [row.payload or "" for row in rows if "was opened again" in (row.payload or "")]


async def look(office: MailDesk, number: int = 1) -> tuple[Ticket, Message]:
    """Return a ticket and its newest message, the seals opened."""
    async with office.units() as unit:
        ticket = await unit.tickets.get(number)
        assert ticket is not None
        message = (await unit.messages.of(ticket))[-1]
        ticket.data_key()
        return ticket, message


async def test_a_letter_opens_when_its_secret_key_was_imported(office: MailDesk, alice: Person) -> None:
    with person("old@desk.example", Path(office.keyring._agent._home).parent / "old") as old:
        sealed = encrypted(alice.encrypt(entity("the secret words"), old.public))
        secret = old.gpg("--armor", "--export-secret-keys")
    await office.take_in(headers(alice.address, "...") + sealed)
    ticket, message = await look(office)
    assert (ticket.encryption, message.text) == ("undecryptable", "")
    [nothing] = await recheck(office, 1)
    assert "nothing new. Encrypted, cannot be opened." in nothing
    async with office.units() as unit:
        found = await unit.tickets.get(1)
        assert found is not None
        found.read_up_to = message.id
    office.keyring.import_secret_key(secret)
    [_, opened] = await recheck(office, 1)
    assert "Encrypted. Read it with `!show`." in opened
    assert "secret words" not in opened
    ticket, message = await look(office)
    assert (ticket.encryption, ticket.confidential, message.text) == ("ok", True, "the secret words")
    assert ticket.read_up_to < message.id
    assert "nothing new. Encrypted." in (await recheck(office, 1))[-1]


async def test_what_was_readable_stays_when_it_does_not_open_any_more(
    office: MailDesk, alice: Person, tmp_path: Path
) -> None:
    public = office.keyring.export_public_key(office.config.queues[0].fingerprint)
    await office.take_in(headers(alice.address) + encrypted(alice.encrypt(entity("words"), public)))
    with desk(tmp_path / "empty") as other:
        [told] = await recheck(office, 1, keyring=other.keyring)
    assert "nothing new. Encrypted, cannot be opened." in told
    ticket, message = await look(office)
    assert (ticket.encryption, message.text) == ("ok", "words")


async def test_a_signature_counts_once_its_key_is_known(office: MailDesk, alice: Person) -> None:
    await office.take_in(headers(alice.address) + signed(alice, entity("it is me")))
    assert (await look(office))[0].signature == "unknown-key"
    key = multipart("multipart/mixed", entity("my key"), entity(alice.public.decode(), type_=KEY))
    await office.take_in(headers(alice.address).replace(b"<m1@", b"<m2@") + key)
    [told] = await recheck(office, 1)
    assert "signed with a key seen here" in told
    assert (await look(office))[0].signature == "good"


async def test_a_report_shows_whose_it_is_and_its_key_once_it_opens(office: MailDesk) -> None:
    await office.take_in((SAMPLES / "01-new-en-wifi-large.eml").read_bytes())
    ticket, _ = await look(office)
    assert (ticket.encryption, ticket.tails_version) == ("undecryptable", None)
    office.keyring.import_secret_key((SAMPLES / "TEST-ONLY-helpdesk-secret-key.asc").read_bytes())
    await recheck(office, 1)
    ticket, _ = await look(office)
    assert (ticket.contact, ticket.tails_version) == ("alice.sample@example.org", "6.9")
    assert ticket.whisperback_id
    assert ticket.kind.startswith("bug report")
    async with office.units() as unit:
        assert ticket.contact_tag == address_tag(unit.vault, "alice.sample@example.org")
        [key] = await unit.keys.of(ticket.contact_tag)
        assert (key.state, key.letters) == (KeyState.SEEN, 1)


async def test_a_copy_of_a_known_key_inside_is_merged(office: MailDesk, tmp_path: Path) -> None:
    with (
        person("kim@user.example", tmp_path / "kim") as kim,
        person("old@desk.example", tmp_path / "old") as old,
    ):
        secret = old.gpg("--armor", "--export-secret-keys")
        first = kim.public
        kim.gpg("--quick-add-key", kim.fingerprint, "cv25519", "encr", "1y")
        longer = kim.gpg("--armor", "--export", kim.fingerprint).decode()
        inside = multipart("multipart/mixed", entity("my key"), entity(longer, type_=KEY))
        await office.take_in(headers(kim.address) + encrypted(kim.encrypt(inside, old.public)))
    outside = multipart("multipart/mixed", entity("my key"), entity(first.decode(), type_=KEY))
    await office.take_in(headers(kim.address).replace(b"<m1@", b"<m2@") + outside)
    office.keyring.import_secret_key(secret)
    await recheck(office, 1)
    async with office.units() as unit:
        [key] = await unit.keys.of(address_tag(unit.vault, kim.address))
        assert (key.state, key.letters) == (KeyState.SEEN, 1)
        newer = read_public_key(longer.encode())
        assert len(newer.key_ids) == len(read_public_key(first).key_ids) + 1
        assert read_public_key(key.armor or b"").key_ids == newer.key_ids


async def test_two_carriers_of_one_row_say_it_once(office: MailDesk, alice: Person) -> None:
    await office.take_in(headers(alice.address) + signed(alice, entity("it is me")))
    async with office.units() as unit:
        ticket = await unit.tickets.get(1, lock=True)
        assert ticket is not None
        await rechecking.ask(office.work(unit), ticket)
    rechecker = Rechecker(office.place, office.opener())
    delivery = delivery_of(office.place, {rechecking.RECHECK: rechecker})
    parcel = await delivery._next_parcel("recheck:1")
    assert parcel is not None
    await asyncio.gather(rechecker(parcel), rechecker(parcel))
    assert len(await said(office)) == 1


async def test_a_database_in_trouble_is_waited_for_and_what_came_of_it_is_said_once(
    office: MailDesk, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when two units wait for each other, and the server ends one of them."""
    await office.take_in(headers(alice.address) + signed(alice, entity("it is me")))
    concluded = rechecking.conclude

    async def in_vain(*about: Any) -> None:
        monkeypatch.setattr("mail.workers.recheck.conclude", concluded)
        await concluded(*about)
        raise StorageTrouble("deadlock")

    monkeypatch.setattr("mail.workers.recheck.conclude", in_vain)
    assert await recheck(office, 1) == []
    async with office.units() as unit:
        [row] = [row for row in await unit.outbox.in_state(OutboxState.PENDING) if row.kind == "recheck"]
        number = row.id
        assert row.error == "deadlock"
    office.clock.now += dt.timedelta(minutes=1)
    rechecker = Rechecker(office.place, office.opener())
    await delivery_of(office.place, {rechecking.RECHECK: rechecker}).drain()
    assert len(await said(office)) == 1
    async with office.units() as unit:
        done = await unit.outbox.get(number)
        assert done is not None
        assert (done.state, done.done_at) == (OutboxState.SENT, office.clock.now)
        assert (done.payload_sealed, done.wrapped_key) == (None, None)


async def test_what_the_master_key_does_not_open_is_no_fault_of_our_own_code(
    office: MailDesk, alice: Person
) -> None:
    letter = await office.take_in(headers(alice.address) + entity("hi"))
    async with office.units() as unit:
        kept = await unit.letters.get(letter.id)
        assert kept is not None
        await unit.letters.raw(kept)
        kept.raw_sealed = bytes(len(kept.raw_sealed or b""))
    assert await recheck(office, 1) == []
    async with office.units() as unit:
        [row] = await unit.outbox.in_state(OutboxState.PARKED)
        assert row.error == "the master key here does not open that letter"


async def test_a_letter_that_is_gone_is_not_opened_again(office: MailDesk, alice: Person) -> None:
    letter = await office.take_in(headers(alice.address) + entity("hi"))
    async with office.units() as unit:
        kept = await unit.letters.get(letter.id)
        assert kept is not None
        kept.raw = None
    assert await recheck(office, 1) == []
    async with office.units() as unit:
        [row] = await unit.outbox.in_state(OutboxState.PARKED)
        assert row.error == "the letter is not kept any more"
        ticket = await unit.tickets.get(1, lock=True)
        assert ticket is not None
        for message in await unit.messages.of(ticket):
            message.letter_id = None
        with pytest.raises(Refusal, match="No letter of ticket 1 is kept"):
            await rechecking.ask(office.work(unit), ticket)


async def test_a_keyring_that_fails_is_tried_again_later(office: MailDesk, alice: Person) -> None:
    await office.take_in(headers(alice.address) + signed(alice, entity("it is me")))
    broken = Mock(spec=Keyring)
    broken.verify_detached.side_effect = KeyringUnusable("The desk's gpg-agent does not answer.")
    assert await recheck(office, 1, keyring=broken) == []
    async with office.units() as unit:
        [row] = [
            row
            for row in await unit.outbox.in_state(OutboxState.PENDING)
            if row.kind == rechecking.RECHECK.name
        ]
        assert (row.tries, row.error) == (1, "The desk's gpg-agent does not answer.")


async def test_after_a_queue_s_key_was_changed_letters_to_either_key_open(
    office: MailDesk, alice: Person
) -> None:
    """The new key came late: what was encrypted to it waits, and the old one goes on opening."""
    old = office.keyring.export_public_key(office.config.queues[0].fingerprint)
    with person("help@desk.example", Path(office.keyring._agent._home).parent / "new") as new:
        to_new = encrypted(alice.encrypt(entity("to the new key"), new.public))
        secret = new.gpg("--armor", "--export-secret-keys")
        fingerprint = new.fingerprint
    await office.take_in(headers(alice.address, "...") + to_new)
    another = headers(alice.address).replace(b"<m1@", b"<m2@")
    await office.take_in(another + encrypted(alice.encrypt(entity("to the old key"), old)))
    async with office.units() as unit:
        assert await rechecking.tell_of_new_key(office.work(unit)) == [1]
    assert office.keyring.import_secret_key(secret) == fingerprint
    async with office.units() as unit:
        assert await rechecking.ask_for_all(office.work(unit)) == [1]
    rechecker = Rechecker(office.place, office.opener())
    await delivery_of(office.place, {rechecking.RECHECK: rechecker})._drain_lane("recheck:1")
    assert [(await look(office, number))[1].text for number in (1, 2)] == ["to the new key", "to the old key"]
    async with office.units() as unit:
        assert await rechecking.ask_for_all(office.work(unit)) == []
    queue = replace(office.config.queues[0], fingerprint=fingerprint)
    renewed = replace(office, config=replace(office.config, queues=(queue,)))
    await renewed.take_in(
        another.replace(b"<m2@", b"<m3@") + encrypted(alice.encrypt(entity("still to the old key"), old))
    )
    assert (await look(renewed, 3))[1].text == "still to the old key"
    assert fingerprint in {key.fingerprint for key in office.keyring.secret_keys()}
