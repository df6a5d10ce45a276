# SPDX-License-Identifier: AGPL-3.0-or-later
"""Protected headers (RFC 9788 and the draft before): which ones count, and what is said when they differ."""

from collections.abc import Iterator

import pytest

from desk.opened import SignatureState
from mail.opening import open_letter
from tests.mail.people import Desk, Person, desk, encrypted, entity, headers, multipart, person, signed

CIPHER = 'text/plain; charset=utf-8; hp="cipher"'
CLEAR = 'text/plain; charset=utf-8; hp="clear"'
DRAFT = 'text/plain; charset=utf-8; protected-headers="v1"'
OUTER = ("alice@user.example", "...")


@pytest.fixture(scope="module", name="desk")
def make_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk(tmp_path_factory.mktemp("keys") / "desk") as made:
        yield made


@pytest.fixture(scope="module", name="alice")
def make_alice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    with person("alice@user.example", tmp_path_factory.mktemp("keys") / "alice") as made:
        yield made


@pytest.mark.parametrize("type_", [CIPHER, DRAFT])
def test_the_protected_subject_counts(desk: Desk, alice: Person, type_: str) -> None:
    inside = entity(
        "x", "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=", "From: Alice <alice@user.example>", type_=type_
    )
    raw = headers(*OUTER) + encrypted(alice.encrypt(inside, desk.public))
    found = open_letter(raw, desk.keyring).headers
    assert (found.subject, found.outer_subject, found.protected) == ("Grüße", "...", True)
    assert found.mismatch == ()


def test_headers_inside_without_the_mark_do_not_count(desk: Desk, alice: Person) -> None:
    inside = entity("x", "Subject: inner")
    found = open_letter(headers(*OUTER) + encrypted(alice.encrypt(inside, desk.public)), desk.keyring).headers
    assert (found.subject, found.protected) == ("...", False)


def test_an_encrypted_from_that_nobody_signed_does_not_count(desk: Desk, alice: Person) -> None:
    inside = entity("x", "From: boss@desk.example", "Reply-To: evil@user.example", type_=CIPHER)
    found = open_letter(headers(*OUTER) + encrypted(alice.encrypt(inside, desk.public)), desk.keyring).headers
    assert (found.sender, found.reply_to, found.mismatch) == ("alice@user.example", "", ("From",))


def test_a_signed_from_counts_and_the_difference_is_named(desk: Desk, alice: Person) -> None:
    inside = entity("x", "From: alice@user.example", "Subject: inner", type_=CIPHER)
    raw = headers("list@lists.example", "...") + encrypted(alice.encrypt(inside, desk.public, "--sign"))
    opened = open_letter(raw, desk.keyring, signers=[alice.public])
    assert (opened.headers.sender, opened.headers.mismatch) == ("alice@user.example", ("From",))
    assert [one.state for one in opened.signatures] == [SignatureState.GOOD]


def test_a_signed_from_of_another_does_not_count(desk: Desk, alice: Person) -> None:
    inside = entity("x", "From: boss@desk.example", type_=CIPHER)
    raw = headers(*OUTER) + encrypted(alice.encrypt(inside, desk.public, "--sign"))
    opened = open_letter(raw, desk.keyring, signers=[alice.public])
    assert opened.headers.sender == "alice@user.example"
    assert [one.state for one in opened.signatures] == [SignatureState.GOOD_OTHER_SENDER]


def test_headers_under_a_signature_count_only_while_it_holds(desk: Desk, alice: Person) -> None:
    content = entity("x", "Subject: really", "From: alice@user.example", type_=CLEAR)
    raw = headers("alice@user.example", "faked") + signed(alice, content)
    assert open_letter(raw, desk.keyring, signers=[alice.public]).headers.subject == "really"
    assert open_letter(raw, desk.keyring).headers.subject == "faked"
    damaged = raw.replace(b"Subject: really", b"Subject: changed")
    assert open_letter(damaged, desk.keyring, signers=[alice.public]).headers.subject == "faked"


def test_headers_of_a_signed_part_beside_others_do_not_count(desk: Desk, alice: Person) -> None:
    part = signed(alice, entity("x", "Subject: inner", "From: alice@user.example", type_=CLEAR))
    raw = headers(*OUTER) + multipart("multipart/mixed", entity("beside"), part)
    found = open_letter(raw, desk.keyring, signers=[alice.public]).headers
    assert (found.subject, found.protected) == ("...", False)


def test_copies_of_headers_for_old_clients_are_hidden(desk: Desk, alice: Person) -> None:
    text = entity("Subject: inner\nFrom: a@b.example\n\nThe words", type_=CIPHER + '; hp-legacy-display="1"')
    opened = open_letter(headers(*OUTER) + encrypted(alice.encrypt(text, desk.public)), desk.keyring)
    assert opened.text == "The words"
    copy = entity("Subject: inner", type_='text/rfc822-headers; protected-headers="v1"')
    draft = multipart('multipart/mixed; protected-headers="v1"', copy, entity("The words"))
    opened = open_letter(headers(*OUTER) + encrypted(alice.encrypt(draft, desk.public)), desk.keyring)
    assert (opened.text, opened.attachments) == ("The words", ())
