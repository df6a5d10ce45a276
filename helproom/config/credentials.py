# SPDX-License-Identifier: AGPL-3.0-or-later
"""Secrets of the config: read from files that nobody else may read, or from systemd's credentials."""

import base64
import binascii
import os
import stat
from dataclasses import dataclass
from pathlib import Path

CREDENTIALS = "CREDENTIALS_DIRECTORY"
_LARGEST = 64 * 1024


class SecretUnusable(Exception):
    """A secret cannot be read or must not be trusted; the text is a sentence for the sysadmin."""

    exit_code = os.EX_CONFIG


@dataclass(frozen=True)
class Secret:
    """Where a secret lies: a file, or the name of a systemd credential."""

    path: Path
    is_credential: bool = False

    @property
    def file(self) -> Path:
        """The file that holds it. Raises SecretUnusable when systemd has given us no credentials."""
        if not self.is_credential:
            return self.path
        folder = os.environ.get(CREDENTIALS)
        if not folder:
            raise SecretUnusable(
                f"The secret “{self.path}” is a systemd credential, but systemd gave none: "
                f"is LoadCredential={self.path}: in the unit, and was Helproom started by systemd?"
            )
        return Path(folder, self.path)

    def read_bytes(self) -> bytes:
        """Return what the file holds. Raises SecretUnusable when it is missing or others may read it."""
        file = self.file
        try:
            handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            raise SecretUnusable(f"The secret file {file} does not exist.") from None
        except OSError as error:
            raise SecretUnusable(f"The secret file {file} cannot be read: {error.strerror}.") from None
        try:
            self._check(os.fstat(handle), file)
            held = os.read(handle, _LARGEST + 1)
        finally:
            os.close(handle)
        if not held.strip() or len(held) > _LARGEST:
            raise SecretUnusable(f"The secret file {file} is empty or larger than 64 KB.")
        return held

    def read_text(self) -> str:
        """Return the first line, without the line's end. Raises SecretUnusable."""
        try:
            return self.read_bytes().decode("utf-8").splitlines()[0].strip()
        except UnicodeDecodeError:
            raise SecretUnusable(f"The secret file {self.file} holds no text.") from None

    def _check(self, status: os.stat_result, file: Path) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise SecretUnusable(f"The secret file {file} is no file.")
        if self.is_credential:
            return
        if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise SecretUnusable(f"Others than its owner may read the secret file {file}: chmod 600 {file}")
        if status.st_uid not in {0, os.geteuid()}:
            raise SecretUnusable(
                f"The secret file {file} belongs to another user than the one that runs Helproom."
            )


def read_master_key(secret: Secret, size: int) -> bytes:
    """Return the master key, which is kept as base64 text. Raises SecretUnusable."""
    try:
        key = base64.b64decode(secret.read_text(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != size:
        raise SecretUnusable(f"The file {secret.file} does not hold a master key ({size} bytes in base64).")
    return key
