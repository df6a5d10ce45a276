# SPDX-License-Identifier: AGPL-3.0-or-later
"""Keys that real letters bring, with real GnuPG: kept, refreshed, revoked, and never exchanged in silence."""

import base64
import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from desk.replies.protection import protection_of
from desk.world import Refusal
from mail.openpgp.keyring import read_public_key
from mail.openpgp.packets import dearmor
from storage.models import ContactKey, KeyState, LetterState, OutboxState
from storage.sealing.vault import address_tag
from tests.mail.people import CRLF, Desk, Person, encrypted, entity, headers, multipart, person, signed
from tests.worlds.mail import MailDesk


@pytest.fixture(name="alice")
def make_alice(tmp_path: Path) -> Iterator[Person]:
    with person("alice@user.example", tmp_path / "alice") as made:
        yield made


def autocrypt(someone: Person, key: bytes, prefer: str = "") -> str:
    """Make an Autocrypt header."""
    text = base64.b64encode(dearmor(key)).decode()
    folded = f"{CRLF} ".join(text[at : at + 70] for at in range(0, len(text), 70))
    return f"Autocrypt: addr={someone.address}; {prefer}keydata={CRLF} {folded}"


def letter(number: int, *more: str, body: bytes = b"", sender: str = "alice@user.example") -> bytes:
    """Write the letter of a number."""
    raw = headers(sender, "A question", *more).replace(b"<m1@", f"<m{number}@".encode())
    return raw + (body or entity("hi"))


def attached(key: bytes) -> bytes:
    """Make a letter's body with a key."""
    return multipart("multipart/mixed", entity("my key"), entity(key.decode(), type_="application/pgp-keys"))


async def kept(office: MailDesk, address: str = "alice@user.example") -> list[ContactKey]:
    async with office.units() as unit:
        keys = list(await unit.keys.of(address_tag(unit.vault, address)))
        for key in keys:
            key.data_key()
        return keys


async def said(office: MailDesk) -> str:
    async with office.units() as unit:
        return "\n".join(row.payload or "" for row in await unit.outbox.in_state(OutboxState.PENDING))


async def test_a_longer_life_is_taken_over_without_a_question_and_never_shortened_by_an_old_copy(
    office: MailDesk, alice: Person
) -> None:
    old = alice.public
    await office.take_in(letter(1, autocrypt(alice, old, "prefer-encrypt=mutual; ")))
    [before] = await kept(office)
    assert (before.state, before.source, before.prefers_encryption) == (KeyState.SEEN, "autocrypt", True)
    alice.gpg("--quick-set-expire", alice.fingerprint, "4y")
    alice.gpg("--quick-set-expire", alice.fingerprint, "4y", "*")
    new = alice.gpg("--armor", "--export", alice.fingerprint)
    for number, (more, body) in enumerate(
        [((), attached(new)), ((autocrypt(alice, old),), b""), ((), attached(new))], 2
    ):
        assert (await office.take_in(letter(number, *more, body=body))).state is LetterState.TICKET
    [after] = await kept(office)
    assert (after.state, after.letters, after.prefers_encryption) == (KeyState.SEEN, 4, False)
    assert after.expires_at == read_public_key(new).encrypts_until
    assert before.expires_at is not None
    assert after.expires_at is not None
    assert after.expires_at - before.expires_at > dt.timedelta(days=3 * 365 - 2)
    assert "public key" not in await said(office)


async def test_a_revocation_stops_answers_whoever_brings_it(
    office: MailDesk, desk: Desk, alice: Person
) -> None:
    sealed = encrypted(alice.encrypt(attached(alice.public), desk.public))
    first = await office.take_in(letter(1, body=sealed))
    certificate = (alice.home / "openpgp-revocs.d" / f"{alice.fingerprint}.rev").read_bytes()
    alice.gpg("--import", data=certificate.replace(b":-----BEGIN", b"-----BEGIN"))
    revoked = alice.gpg("--armor", "--export", alice.fingerprint)
    async with office.units() as unit:
        ticket = await unit.tickets.get(first.ticket_id or 0)
        assert ticket is not None
        assert (await protection_of(unit, ticket, office.clock.now)).fingerprint == alice.fingerprint
        token = unit.vault.reply_token(ticket.ref)
    await office.take_in(letter(2, body=attached(revoked), sender="bob@user.example"), token=token)
    [key] = await kept(office)
    assert (key.problem, key.state) == (KeyState.REVOKED, KeyState.SEEN)
    assert "is revoked by its owner, as a newer copy of it says" in await said(office)
    async with office.units() as unit:
        ticket = await unit.tickets.get(first.ticket_id or 0)
        assert ticket is not None
        with pytest.raises(Refusal, match="revoked"):
            await protection_of(unit, ticket, office.clock.now)


async def test_another_key_of_the_same_address_is_not_used_and_its_signatures_are_not_the_user_s(
    office: MailDesk, alice: Person, tmp_path: Path
) -> None:
    await office.take_in(letter(1, autocrypt(alice, alice.public)))
    with person(alice.address, tmp_path / "mallory") as mallory:
        await office.take_in(letter(2, autocrypt(mallory, mallory.public)))
        await office.take_in(letter(3, body=signed(mallory, entity("it is me"))))
    await office.take_in(letter(4, body=signed(alice, entity("it is me"))))
    assert [key.state for key in await kept(office)] == [KeyState.SEEN, KeyState.CHANGED]
    async with office.units() as unit:
        found = [ticket.signature for ticket in await unit.tickets.open_in(None)]
    assert found == ["none", "none", "unknown-key", "good"]


async def test_a_key_without_encryption_or_too_short_for_it_is_unusable(
    office: MailDesk, alice: Person
) -> None:
    for number, (address, algorithm) in enumerate([("signs", "ed25519"), ("short", "rsa1024")], 1):
        uid = f"{address}@user.example"
        usage = "sign" if algorithm == "ed25519" else "sign,encr"
        alice.gpg("--quick-generate-key", uid, algorithm, usage, "1y")
        key = alice.gpg("--armor", "--export", uid)
        await office.take_in(letter(number, body=attached(key), sender=uid))
        [row] = await kept(office, uid)
        assert (row.state, row.problem) == (KeyState.SEEN, KeyState.UNUSABLE)
    assert "is not made for encryption, or too weak for it" in await said(office)
