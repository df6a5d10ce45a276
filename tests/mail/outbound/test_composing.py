# SPDX-License-Identifier: AGPL-3.0-or-later
"""Mail as its recipient's own GnuPG and mail program read it."""

import base64
import datetime as dt
import email
from dataclasses import replace
from email import policy
from email.message import EmailMessage, Message
from pathlib import Path
from typing import Any, cast

import pytest

from mail.openpgp.keyring import Keyring, SealRefused
from mail.openpgp.packets import dearmor, packets
from mail.outbound.compose import Encrypting, OutgoingLetter, Signing, Uncomposable, compose
from tests.mail.people import Desk, Person, person

WORDS = "Grüße,\n.a dot\nFrom the desk\ntrailing  \n"
LETTER = OutgoingLetter(
    sender="help@desk.example",
    sender_name="Help Desk",
    recipient="alice@user.example",
    subject="Re: My sécret disk",
    text=WORDS,
    message_id="<ref1@desk.example>",
    date=dt.datetime(2026, 3, 1, 12, 34, 56, tzinfo=dt.UTC),
    in_reply_to="<m1@user.example>",
    references=("<m0@user.example>", "<m1@user.example>"),
    reply_to="help+token@desk.example",
)


def signer(desk: Desk) -> str:
    return desk.keyring.secret_keys()[0].fingerprint


def parse(raw: bytes) -> EmailMessage:
    return email.message_from_bytes(raw, policy=policy.default)


def content_of(part: Message) -> bytes:
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


def body(message: EmailMessage) -> str:
    return cast(str, message.get_content()).replace("\r\n", "\n")


def test_an_encrypted_mail_tells_the_world_nothing_and_its_reader_all(desk: Desk, alice: Person) -> None:
    raw = compose(LETTER, Encrypting(desk.keyring, signer(desk), (alice.public,)))
    outer = parse(raw)
    assert outer["Subject"] == "..."
    assert outer.get_content_type() == "multipart/encrypted"
    assert "disk" not in raw.decode("ascii")
    version, sealed = outer.iter_parts()
    assert version.get_content_type() == "application/pgp-encrypted"
    alice.gpg("--import", data=desk.public)
    inner = parse(alice.gpg("--decrypt", data=content_of(sealed)))
    assert inner["Subject"] == "Re: My sécret disk"
    assert inner["Content-Type"].params["hp"] == "cipher"
    assert "Subject: ..." in inner.get_all("HP-Outer", [])
    assert inner["Content-Type"].params["hp-legacy-display"] == "1"
    assert body(inner) == f"Subject: Re: My sécret disk\n\n{WORDS}"
    for name in ("From", "To", "Reply-To", "Message-ID", "In-Reply-To", "References"):
        assert inner[name] == outer[name]
    assert inner["Reply-To"] == "help+token@desk.example"


def test_a_signed_mail_verifies_byte_for_byte(desk: Desk, alice: Person, tmp_path: Path) -> None:
    raw = compose(LETTER, Signing(desk.keyring, signer(desk)))
    outer = parse(raw)
    assert outer["Subject"] == "Re: My sécret disk"
    boundary = outer.get_boundary()
    assert boundary is not None
    content = raw.split(f"--{boundary}\r\n".encode())[1].removesuffix(b"\r\n")
    signature = tmp_path / "signature.asc"
    signature.write_bytes(content_of(list(outer.iter_parts())[1]))
    alice.gpg("--import", data=desk.public)
    status = alice.gpg("--status-fd", "1", "--verify", str(signature), "-", data=content).decode()
    valid = next(line.split() for line in status.splitlines() if "VALIDSIG" in line)
    assert valid[2] == signer(desk)
    # The number of the hash, as RFC 9580 (9.5) lists them, is the one that micalg names.
    assert {"8": "pgp-sha256", "10": "pgp-sha512"}[valid[9]] == outer["Content-Type"].params["micalg"]
    inner = parse(content)
    assert inner["Content-Type"].params["hp"] == "clear"
    assert "hp-legacy-display" not in inner["Content-Type"].params
    assert body(inner) == WORDS


def test_every_line_ends_with_crlf_and_nothing_names_the_program(desk: Desk, alice: Person) -> None:
    fingerprint = signer(desk)
    offering = replace(LETTER, autocrypt_key=desk.public)
    sealed = Encrypting(desk.keyring, fingerprint, (alice.public,))
    for raw in (compose(offering, sealed), compose(LETTER, Signing(desk.keyring, fingerprint))):
        assert raw.replace(b"\r\n", b"").find(b"\n") == -1
        assert raw.isascii()
        assert max(map(len, raw.split(b"\r\n"))) <= 998
        message = parse(raw)
        assert not {"user-agent", "x-mailer", "received"} & {name.lower() for name in message}
        assert message["Date"] == "Sun, 01 Mar 2026 12:34:00 +0000"


def test_line_ends_in_subject_and_name_make_no_header(desk: Desk) -> None:
    nasty = replace(
        LETTER,
        subject="hello\r\nBcc: eve@evil.example\r\n\r\nbody",
        sender_name='Desk"\r\nBcc: eve@evil.example\n',
    )
    message = parse(compose(nasty, Signing(desk.keyring, signer(desk))))
    assert message["Bcc"] is None
    assert message["Subject"] == "hello Bcc: eve@evil.example body"
    assert [each.addr_spec for each in message["From"].addresses] == ["help@desk.example"]


@pytest.mark.parametrize("field", ["sender", "recipient", "reply_to"])
@pytest.mark.parametrize(
    "address", ["no-address", "a@b.example\r\nBcc: e@e.example", "a@b.example, c@d.example"]
)
def test_a_bad_address_is_refused_without_naming_it(desk: Desk, field: str, address: str) -> None:
    wrong: dict[str, Any] = {field: address}
    with pytest.raises(Uncomposable) as refused:
        compose(replace(LETTER, **wrong), Signing(desk.keyring, signer(desk)))
    assert "@" not in str(refused.value)


def test_a_bad_id_is_refused(desk: Desk) -> None:
    signing = Signing(desk.keyring, signer(desk))
    with pytest.raises(Uncomposable):
        compose(replace(LETTER, message_id="<a@b>\r\nBcc: e@e.example"), signing)
    with pytest.raises(Uncomposable):
        compose(replace(LETTER, references=("<a b@c>",)), signing)


def test_a_key_that_is_none_gives_no_mail(desk: Desk) -> None:
    with pytest.raises(SealRefused):
        compose(LETTER, Encrypting(desk.keyring, signer(desk), (b"no key",)))
    with pytest.raises(SealRefused):
        compose(LETTER, Encrypting(desk.keyring, signer(desk), ()))


def test_the_key_that_is_offered_is_the_queues_alone(desk: Desk, tmp_path: Path) -> None:
    with person("help@desk.example", tmp_path / "queue") as queue:
        queue.gpg("--quick-add-uid", queue.fingerprint, "Old name <old@desk.example>")
        keyring = Keyring(queue.home, passphrase=None)
        offered = keyring.key_to_offer(queue.fingerprint, "help@desk.example")
        whole = keyring.key_to_offer(queue.fingerprint, "other@desk.example")
        keyring.close()
    letter = replace(LETTER, autocrypt_key=offered)
    [header] = parse(compose(letter, Signing(desk.keyring, signer(desk)))).get_all("Autocrypt", [])
    attributes = dict(part.strip().split("=", 1) for part in header.split(";"))
    assert attributes.keys() == {"addr", "prefer-encrypt", "keydata"}
    assert attributes["addr"] == "help@desk.example"
    data = base64.b64decode("".join(attributes["keydata"].split()), validate=True)
    assert [packet.tag for packet in packets(data)] == [6, 13, 2, 14, 2]
    assert b"old@desk.example" not in data
    assert [packet.tag for packet in packets(dearmor(whole))].count(13) == 2
