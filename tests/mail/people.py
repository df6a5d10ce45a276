# SPDX-License-Identifier: AGPL-3.0-or-later
"""People with real keys, and letters as their mail programs would write them."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mail.openpgp.keyring import Keyring

CRLF = "\r\n"


@dataclass
class Person:
    """Somebody with GnuPG and a key of their own."""

    address: str
    home: Path
    public: bytes = field(default=b"", repr=False)
    fingerprint: str = ""

    def gpg(self, *args: str, data: bytes = b"") -> bytes:
        """Run GnuPG as this person."""
        command = ["gpg", "--homedir", str(self.home), "--batch", "--no-tty", "--pinentry-mode", "loopback"]
        command += ["--passphrase", "", "--trust-model", "always", *args]
        return subprocess.run(command, input=data, check=True, capture_output=True).stdout

    def encrypt(self, data: bytes, to: bytes, *options: str) -> bytes:
        """Encrypt to a public key, armored."""
        key = self.home / "recipient.asc"
        key.write_bytes(to)
        return self.gpg(*options, "--armor", "--encrypt", "--recipient-file", str(key), data=data)

    def sign(self, data: bytes) -> bytes:
        """Make a detached armored signature."""
        return self.gpg("--armor", "--detach-sign", data=data)


@contextmanager
def person(address: str, home: Path) -> Iterator[Person]:
    """Make somebody with a fresh key for the address."""
    home.mkdir(mode=0o700)
    someone = Person(address, home)
    try:
        someone.gpg("--quick-generate-key", f"Somebody <{address}>", "future-default", "default", "1y")
        someone.public = someone.gpg("--armor", "--export")
        listing = someone.gpg("--with-colons", "--list-keys").decode()
        someone.fingerprint = next(row for row in listing.splitlines() if row.startswith("fpr")).split(":")[9]
        yield someone
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)


@dataclass(frozen=True)
class Desk:
    """The desk's keyring, and its public key."""

    keyring: Keyring
    public: bytes = field(repr=False)


@contextmanager
def desk(home: Path) -> Iterator[Desk]:
    """Make the desk with a fresh key."""
    home.mkdir(mode=0o700)
    keyring = Keyring(home, passphrase=None)
    try:
        fingerprint = keyring.make_key("Help <help@desk.example>", expires=30)
        yield Desk(keyring, keyring.export_public_key(fingerprint))
    finally:
        keyring.close()


def headers(sender: str, subject: str = "A question", *more: str) -> bytes:
    """Make outer headers."""
    lines = [
        f"From: {sender}",
        "To: help@desk.example",
        f"Subject: {subject}",
        "Message-ID: <m1@user.example>",
    ]
    return CRLF.join([*lines, *more, "MIME-Version: 1.0", ""]).encode()


def entity(text: str, *more: str, type_: str = "text/plain; charset=utf-8") -> bytes:
    """Make a MIME entity, with CRLF line ends."""
    return CRLF.join([f"Content-Type: {type_}", *more, "", *text.split("\n")]).encode()


def multipart(type_: str, *parts: bytes, boundary: str = "=-limit") -> bytes:
    """Make a multipart entity from entities."""
    edge = f"--{boundary}".encode()
    body = b"".join(edge + b"\r\n" + part + b"\r\n" for part in parts)
    return f'Content-Type: {type_}; boundary="{boundary}"\r\n\r\n'.encode() + body + edge + b"--\r\n"


def encrypted(ciphertext: bytes, boundary: str = "=-sealed") -> bytes:
    """Make a PGP/MIME encrypted entity (RFC 3156, 4)."""
    version = b"Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n"
    data = b"Content-Type: application/octet-stream\r\n\r\n" + ciphertext.replace(b"\n", b"\r\n")
    type_ = 'multipart/encrypted; protocol="application/pgp-encrypted"'
    return multipart(type_, version, data, boundary=boundary)


def signed(by: Person, content: bytes, boundary: str = "=-signed") -> bytes:
    """Make a PGP/MIME signed entity (RFC 3156, 5)."""
    signature = b"Content-Type: application/pgp-signature\r\n\r\n" + by.sign(content)
    type_ = 'multipart/signed; micalg=pgp-sha512; protocol="application/pgp-signature"'
    return multipart(type_, content, signature, boundary=boundary)
