# SPDX-License-Identifier: AGPL-3.0-or-later
"""What leaves the desk, read by programs that share no code with it: Sequoia, notmuch, mutt."""

import base64
import email
import json
import os
import subprocess
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from pysequoia import Cert, Sig, Tsk, decrypt, verify

from desk.letters.opened import EncryptionState, SignatureState
from mail.reading.open_letter import open_letter
from mail.testing.smtp_server import Catcher
from tests.mail.mutt import read_with_mutt
from tests.mail.people import CRLF, Desk, Person, encrypted, entity, headers, multipart
from tests.mail.sending import answer, deliver
from tests.services.mailserver import MailServer
from tests.worlds.mail import MailDesk

KEY = "application/pgp-keys"
SUBJECT = "Wo ist mein Gerät? – " + "lang " * 20
ANSWERED = f"Re: [#1] {SUBJECT.strip()}"
WORDS = "Grüße,\n\nFrom here on:\n.dot\n  indented, trailing  \n" + "long " * 60 + "\n\n-- \nHelp\n"


async def answered(office: MailDesk, server: Catcher, letter: bytes) -> bytes:
    """Let a letter come and its answer leave; return the answer as the mail server got it."""
    kept = await office.take_in(letter)
    await answer(office, kept.ticket_id or 0, WORDS)
    await deliver(office, server)
    return server.caught[-1].content


def letter_of(alice: Person, desk: Desk) -> bytes:
    """Return an encrypted letter that names its writer and has a subject that only the desk can read."""
    key = multipart("multipart/mixed", entity("secret"), entity(alice.public.decode(), type_=KEY))
    protected = key.replace(b"multipart/mixed;", b'multipart/mixed; protected-headers="v1";', 1)
    inner = EmailMessage(policy=policy.SMTP)
    inner["From"], inner["Subject"] = alice.address, SUBJECT
    fields = inner.as_bytes().removesuffix(b"\r\n")
    return headers(alice.address, "...") + encrypted(alice.encrypt(fields + protected, desk.public))


def clear_letter() -> bytes:
    return headers("bob@user.example", "Printer") + entity("hi")


def parse(raw: bytes) -> EmailMessage:
    return email.message_from_bytes(raw, policy=policy.default)


def payload(part: Any) -> bytes:
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


def said_in(part: EmailMessage) -> str:
    return str(part.get_content()).replace("\r\n", "\n")


async def test_sequoia_opens_what_is_encrypted_and_checks_who_signed(
    office: MailDesk, desk: Desk, alice: Person, server: MailServer
) -> None:
    raw = await answered(office, server, letter_of(alice, desk))
    sealed = payload(list(parse(raw).iter_parts())[1])
    secret = Tsk.from_bytes(alice.gpg("--armor", "--export-secret-keys"))
    queue = Cert.from_bytes(desk.public)
    opened = decrypt(sealed, decryptor=secret.decryptor(), store=lambda _: [queue])
    [good] = opened.valid_sigs
    assert good.certificate.upper() == queue.fingerprint.upper()
    inner = parse(opened.bytes)
    assert inner["Subject"] == ANSWERED
    assert said_in(inner) == f"Subject: {ANSWERED}\n\n{WORDS}"
    for secret_word in (b"Ger", b"indented", base64.b64encode("Gerät".encode())):
        assert secret_word not in raw


async def test_sequoia_reads_the_key_that_is_offered(
    office: MailDesk, desk: Desk, server: MailServer
) -> None:
    header = parse(await answered(office, server, clear_letter()))["Autocrypt"]
    offered = Cert.from_bytes(base64.b64decode("".join(header.partition("keydata=")[2].split())))
    assert offered.fingerprint == Cert.from_bytes(desk.public).fingerprint
    assert [str(user_id) for user_id in offered.user_ids] == ["Help <help@desk.example>"]


async def test_sequoia_checks_what_is_only_signed(office: MailDesk, desk: Desk, server: MailServer) -> None:
    raw = await answered(office, server, clear_letter())
    outer = parse(raw)
    boundary = f"--{outer.get_boundary()}\r\n".encode()
    content = raw.split(boundary)[1].removesuffix(b"\r\n")
    signature = payload(list(outer.iter_parts())[1])
    queue = Cert.from_bytes(desk.public)
    detached = Sig.from_bytes(signature)
    [good] = verify(content, store=lambda _: [queue], signature=detached).valid_sigs
    assert good.certificate.upper() == queue.fingerprint.upper()
    with pytest.raises(Exception, match=r"."):
        verify(content.replace(b"indented", b"indebted"), store=lambda _: [queue], signature=detached)


def read_with_notmuch(folder: Path, reader: Person, raw: bytes) -> dict[str, Any]:
    """Put a mail into a mailbox of notmuch and return what it shows of it."""
    for name in ("new", "cur", "tmp"):
        (folder / "mail" / name).mkdir(parents=True)
    (folder / "mail" / "new" / "one").write_bytes(raw)
    config = folder / "notmuch-config"
    config.write_text(f"[database]\npath={folder / 'mail'}\n[user]\nprimary_email={reader.address}\n")
    environment = {**os.environ, "NOTMUCH_CONFIG": str(config), "GNUPGHOME": str(reader.home)}
    for words in ("new", "show --format=json --decrypt=true --verify *"):
        command = ["notmuch", *words.split()]
        shown = subprocess.run(command, env=environment, capture_output=True, check=True).stdout
    found: dict[str, Any] = json.loads(shown)[0][0][0]
    return found


def text_of(shown: dict[str, Any]) -> str:
    """Return the text of what notmuch shows."""
    parts = list(shown["body"])
    while parts:
        part = parts.pop(0)
        if part["content-type"] == "text/plain":
            return str(part["content"])
        parts += part["content"] if isinstance(part.get("content"), list) else []
    raise AssertionError("notmuch shows no text")


@pytest.mark.parametrize("is_encrypted", [True, False])
async def test_notmuch_shows_the_protected_subject_and_a_good_signature(
    office: MailDesk, desk: Desk, alice: Person, server: MailServer, tmp_path: Path, *, is_encrypted: bool
) -> None:
    raw = await answered(office, server, letter_of(alice, desk) if is_encrypted else clear_letter())
    alice.gpg("--import", data=desk.public)
    shown = read_with_notmuch(tmp_path, alice, raw)
    state = shown["crypto"]
    [signature] = state["signed"]["status"]
    assert signature["status"] == "good"
    assert signature["fingerprint"] == desk.keyring.secret_keys()[0].fingerprint
    assert "Subject" in state["signed"]["headers"]
    # Copies of hidden headers come first, as RFC 9788 (5.2.3) wants them for programs that know them not.
    assert text_of(shown) == (f"Subject: {ANSWERED}\n\n{WORDS}" if is_encrypted else WORDS)
    if is_encrypted:
        assert state["decrypted"] == {"status": "full", "header-mask": {"Subject": "..."}}
    assert shown["headers"]["Subject"] == (ANSWERED if is_encrypted else "Re: [#1] Printer")


@pytest.mark.parametrize("is_encrypted", [True, False])
async def test_mutt_shows_the_protected_subject_and_a_good_signature(
    office: MailDesk, desk: Desk, alice: Person, server: MailServer, tmp_path: Path, *, is_encrypted: bool
) -> None:
    raw = await answered(office, server, letter_of(alice, desk) if is_encrypted else clear_letter())
    alice.gpg("--import", data=desk.public)
    shown = read_with_mutt(tmp_path, alice, raw)
    assert "Good signature from: Help <help@desk.example>" in shown
    assert WORDS.rstrip() in shown
    assert f"\n\nSubject: {ANSWERED if is_encrypted else 'Re: [#1] Printer'}" in shown


class Sq:
    """Debian's sq, with the keys of a person and of the desk in files."""

    def __init__(self, folder: Path, user: Person, desk: Desk) -> None:
        """Write the keys."""
        self.folder, self.secret, self.desk = folder, folder / "alice.key", folder / "desk.cert"
        self.secret.write_bytes(user.gpg("--armor", "--export-secret-keys"))
        self.desk.write_bytes(desk.public)

    def __call__(self, command: str, data: bytes) -> bytes:
        """Run one command on bytes; raises CalledProcessError when sq is not content."""
        (self.folder / "data").write_bytes(data)
        words = command.format(secret=self.secret, desk=self.desk).split()
        done = subprocess.run(["sq", *words, self.folder / "data"], capture_output=True, check=True)
        return done.stdout


async def test_sq_opens_and_checks_what_leaves(
    office: MailDesk, desk: Desk, alice: Person, server: MailServer, tmp_path: Path
) -> None:
    raw = await answered(office, server, letter_of(alice, desk))
    sq = Sq(tmp_path, alice, desk)
    sealed = payload(list(parse(raw).iter_parts())[1])
    opened = sq("decrypt --recipient-key {secret} --signer-cert {desk} --signatures 1", sealed)
    assert said_in(parse(opened)) == f"Subject: {ANSWERED}\n\n{WORDS}"
    with pytest.raises(subprocess.CalledProcessError):
        sq("decrypt --recipient-key {secret} --signer-cert {secret} --signatures 1", sealed)


@pytest.mark.parametrize("is_signed", [True, False])
def test_the_desk_opens_and_checks_what_sq_writes(
    desk: Desk, alice: Person, tmp_path: Path, *, is_signed: bool
) -> None:
    sq = Sq(tmp_path, alice, desk)
    signing = "--signer-key {secret} " if is_signed else ""
    sealed = sq(f"encrypt {signing}--recipient-cert {{desk}}", entity("Grüße von fern."))
    letter = headers(alice.address) + encrypted(sealed)
    opened = open_letter(letter, desk.keyring, mail_from=alice.address, signers=(alice.public,))
    assert opened.encryption.state is EncryptionState.OK
    assert opened.text == "Grüße von fern."
    assert [signature.state for signature in opened.signatures] == [SignatureState.GOOD] * is_signed


def test_the_desk_checks_what_sq_only_signs(desk: Desk, alice: Person, tmp_path: Path) -> None:
    content = entity("Signed by another program.")
    made = Sq(tmp_path, alice, desk)("sign --detached --signer-key {secret}", content)
    signature = f"Content-Type: application/pgp-signature{CRLF * 2}".encode() + made
    type_ = 'multipart/signed; micalg=pgp-sha512; protocol="application/pgp-signature"'
    found = []
    for arrived in (content, content.replace(b"another", b"some")):
        letter = headers(alice.address) + multipart(type_, arrived, signature)
        opened = open_letter(letter, desk.keyring, mail_from=alice.address, signers=(alice.public,))
        found += [signature.state for signature in opened.signatures]
    assert found == [SignatureState.GOOD, SignatureState.BAD]
