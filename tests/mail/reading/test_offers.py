# SPDX-License-Identifier: AGPL-3.0-or-later
"""The Autocrypt header (Level 1): taken from whom it belongs to, and from nobody else."""

import base64

import pytest

from desk.letters.opened import OfferedKey
from mail.mime.parts import read_parts
from mail.openpgp.packets import dearmor
from mail.reading.offered_keys import each_once, read_autocrypt
from mail.reading.open_letter import open_letter
from tests.mail.people import Desk, Person, encrypted, entity, headers, multipart

ADDR = "addr=alice@user.example; "


def header(key: bytes, attributes: str = ADDR) -> str:
    return f"Autocrypt: {attributes}keydata={base64.b64encode(dearmor(key)).decode()}"


def offers(desk: Desk, *lines: str, body: bytes | None = None) -> list[bool | None]:
    """Return, of each key that a letter of alice offers by its headers, whether encryption is preferred."""
    letter = read_parts(headers("alice@user.example", "Hi", *lines) + (body or entity("hi")))
    return [key.prefers_encryption for key in read_autocrypt(desk.keyring, letter, [])]


@pytest.mark.parametrize(
    ("prefer", "taken"),
    [
        ("", False),
        ("prefer-encrypt=mutual; ", True),
        ("Prefer-Encrypt=Mutual; ", True),
        ("prefer-encrypt=nopreference; ", False),
        ("prefer-encrypt=always; ", False),
    ],
)
def test_the_preference_is_kept_and_an_unknown_one_is_none(
    desk: Desk, alice: Person, prefer: str, *, taken: bool
) -> None:
    assert offers(desk, header(alice.public, ADDR + prefer)) == [taken]


@pytest.mark.parametrize(
    "attributes", [f"{ADDR}{ADDR}", f"{ADDR}type=2; ", "addr=eve@evil.example; ", "", f"{ADDR}keydata=AAAA; "]
)
def test_a_header_that_is_no_valid_one_is_as_if_it_were_not_there(
    desk: Desk, alice: Person, attributes: str
) -> None:
    invalid = header(alice.public, attributes)
    assert offers(desk, invalid) == []
    assert offers(desk, invalid, header(alice.public)) == [False]


@pytest.mark.parametrize("line", ["List-Id: <list.example>", "Precedence: list", "From: b@user.example"])
def test_a_letter_through_a_list_or_of_several_senders_offers_nothing(
    desk: Desk, alice: Person, line: str
) -> None:
    assert offers(desk, header(alice.public), line) == []


def test_a_bounce_and_a_receipt_offer_nothing(desk: Desk, alice: Person) -> None:
    for kind in ("delivery-status", "disposition-notification"):
        report = multipart(f"multipart/report; report-type={kind}", entity("it bounced"))
        assert offers(desk, header(alice.public), body=report) == []
    postmaster = headers(
        "postmaster@user.example", "Hi", header(alice.public, "addr=postmaster@user.example; ")
    )
    assert read_autocrypt(desk.keyring, read_parts(postmaster + entity("hi")), []) == []


def test_a_header_with_two_keys_or_none_offers_nothing(desk: Desk, alice: Person) -> None:
    both = dearmor(alice.public) + dearmor(desk.public)
    assert offers(desk, f"Autocrypt: {ADDR}keydata={base64.b64encode(both).decode()}") == []
    assert offers(desk, f"Autocrypt: {ADDR}keydata=AAAA") == []
    assert offers(desk, f"Autocrypt: {ADDR}keydata=") == []


def test_a_key_that_comes_in_two_ways_is_offered_once_with_its_preference() -> None:
    attached = OfferedKey("1" * 40, "attached", b"one")
    by_header = OfferedKey("1" * 40, "autocrypt", b"one, smaller", prefers_encryption=True)
    other = OfferedKey("2" * 40, "attached", b"two")
    [first, second] = each_once([attached, other, by_header])
    assert (first.source, first.armor, first.prefers_encryption) == ("attached", b"one", True)
    assert second == other


def test_a_key_that_is_not_armored_is_read_and_a_private_one_refused(desk: Desk, alice: Person) -> None:
    for type_, name in (("application/pgp-keys", ""), ("application/octet-stream", "alice.gpg")):
        data = base64.encodebytes(dearmor(alice.public)).decode()
        more = [
            "Content-Transfer-Encoding: base64",
            *([f"Content-Disposition: attachment; filename={name}"] * bool(name)),
        ]
        letter = multipart("multipart/mixed", entity("my key"), entity(data, *more, type_=type_))
        opened = open_letter(headers(alice.address) + letter, desk.keyring)
        assert [(one.fingerprint, one.source) for one in opened.keys] == [(alice.fingerprint, "attached")]
    secret = entity(alice.gpg("--armor", "--export-secret-keys").decode(), type_="application/pgp-keys")
    opened = open_letter(headers(alice.address) + multipart("multipart/mixed", secret), desk.keyring)
    assert (opened.keys, len(opened.attachments)) == ((), 1)
    assert any("private key" in problem for problem in opened.problems)


def test_a_key_that_is_quoted_in_a_text_is_not_offered(desk: Desk, alice: Person) -> None:
    text = "".join(f"> {line}\n" for line in alice.public.decode().split("\n"))
    opened = open_letter(headers(alice.address) + entity(text), desk.keyring)
    assert (opened.keys, opened.problems) == ((), ())


def test_what_drafts_had_said_of_a_key_is_no_reason_to_ignore_it(desk: Desk, alice: Person) -> None:
    assert offers(desk, header(alice.public, f"{ADDR}type=1; ")) == [False]


def test_a_header_among_the_protected_ones_counts(desk: Desk, alice: Person) -> None:
    for type_, count in (('text/plain; protected-headers="v1"', 1), ("text/plain", 0)):
        inside = entity("hi", header(alice.public), type_=type_)
        raw = headers(alice.address) + encrypted(alice.encrypt(inside, desk.public))
        assert len(open_letter(raw, desk.keyring).keys) == count


@pytest.mark.parametrize(
    ("type_", "name", "is_key"),
    [
        ("application/pgp-keys", "", True),
        ("text/plain", "alice.asc", True),
        ("application/octet-stream", "Alice.ASC", True),
        ("text/plain", "", True),
        ("text/plain", "alice.txt", True),
    ],
)
def test_keys_are_known_by_type_or_by_name_and_content_or_in_a_text(
    desk: Desk, alice: Person, type_: str, name: str, *, is_key: bool
) -> None:
    disposition = [f'Content-Disposition: attachment; filename="{name}"'] if name else []
    key = entity(alice.public.decode(), *disposition, type_=type_)
    raw = headers(alice.address) + multipart("multipart/mixed", entity("my key"), key)
    found = [(one.fingerprint, one.source) for one in open_letter(raw, desk.keyring).keys]
    assert found == ([(alice.fingerprint, "attached")] if is_key else [])


def test_a_file_of_that_name_without_a_key_stays_a_file(desk: Desk, alice: Person) -> None:
    note = entity("no key", 'Content-Disposition: attachment; filename="note.asc"')
    raw = headers(alice.address) + multipart("multipart/mixed", entity("see file"), note)
    opened = open_letter(raw, desk.keyring)
    assert (opened.keys, [one.name for one in opened.attachments]) == ((), ["note.asc"])
