# SPDX-License-Identifier: AGPL-3.0-or-later
"""A desk's keyring and encrypted mail for it, and bare gpg on the same bytes."""

import os
import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mail.openpgp.keyring import Keyring

PASSPHRASE = "benchmark-only-0123456789"
ADDRESS = "help@desk.example"
_WORDS = ("the", "network", "does", "not", "start", "after", "I", "changed", "my", "password", "again")


def words(size: int, seed: int = 0) -> str:
    """Return about `size` characters of English-looking text."""
    chance = random.Random(seed)
    lines: list[str] = []
    length = 0
    while length < size:
        line = " ".join(chance.choice(_WORDS) for _ in range(11))
        lines.append(line)
        length += len(line) + 2
    return "\r\n".join(lines)


@dataclass(frozen=True)
class Post:
    """A desk's keyring with one key, and its files."""

    folder: Path
    home: Path
    keyring: Keyring
    fingerprint: str

    def encrypt(self, text: str) -> bytes:
        """Return the armored ciphertext of a text entity."""
        entity = f"Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n".encode()
        args = ["--armor", "--trust-model", "always", "-z", "0", "-r", self.fingerprint, "--encrypt"]
        return subprocess.run([*self._gpg(), *args], input=entity, check=True, capture_output=True).stdout

    def letter(self, number: int, text: str) -> bytes:
        """Return an encrypted mail (RFC 3156)."""
        return encrypted_mail(number, self.encrypt(text))

    def open_bare(self, file: Path) -> None:
        """Decrypt as one would in a shell."""
        command = [*self._gpg(), "--passphrase-file", str(self.folder / "passphrase"), "--decrypt", str(file)]
        subprocess.run(command, check=True, capture_output=True)

    def _gpg(self) -> list[str]:
        return ["gpg", "--homedir", str(self.home), "--batch", "--no-tty", "--pinentry-mode", "loopback"]


def encrypted_mail(number: int, armor: bytes, to: str = ADDRESS) -> bytes:
    """Wrap a ciphertext as PGP/MIME."""
    head = (
        f"From: user{number}@user.example\r\nTo: {to}\r\nSubject: ...\r\n"
        f"Message-ID: <bench-{number}-{os.getpid()}@user.example>\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary="=-b"\r\n\r\n'
        "--=-b\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n"
        "--=-b\r\nContent-Type: application/octet-stream\r\n\r\n"
    )
    return head.encode() + armor.replace(b"\n", b"\r\n") + b"\r\n--=-b--\r\n"


def plain_mail(number: int, text: str, to: str = ADDRESS) -> bytes:
    """Make a mail without protection."""
    head = (
        f"From: user{number}@user.example\r\nTo: {to}\r\nSubject: A question\r\n"
        f"Message-ID: <plain-{number}-{os.getpid()}@user.example>\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n\r\n"
    )
    return f"{head}{text}\r\n".encode()


@contextmanager
def post(folder: Path) -> Iterator[Post]:
    """Make a keyring with a key for the time of the block."""
    home = folder / "gnupg"
    home.mkdir(mode=0o700)
    (folder / "passphrase").write_text(PASSPHRASE)
    keyring = Keyring(home, passphrase=PASSPHRASE)
    try:
        fingerprint = keyring.make_key(f"Help desk <{ADDRESS}>", expires=30)
        yield Post(folder, home, keyring, fingerprint)
    finally:
        keyring.close()
