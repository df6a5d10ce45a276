# SPDX-License-Identifier: AGPL-3.0-or-later
"""Opening letters with somebody's own GnuPG home, of which nothing is changed."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from desk.letters.opened import Encryption, EncryptionState
from mail.openpgp.ephemeral_homes import passing_home, sweep
from mail.openpgp.keyring import Decrypted, Keyring, KeyringUnusable
from mail.openpgp.process import environment

_RINGS = ("pubring.kbx", "pubring.gpg", "secring.gpg", "private-keys-v1.d")
"""What of a home holds keys; `secring.gpg` is that of GnuPG before 2.1."""
_KEYBOX_DAEMON = Path("public-keys.d", "pubring.db")


class BorrowedKeyring(Keyring):
    """A keyring whose passphrase may be missing: what it does not open is told and not tried again."""

    def decrypt(self, message: bytes, signers: Sequence[bytes] = ()) -> Decrypted:
        """As `Keyring.decrypt`, but a locked key is a verdict on the letter."""
        try:
            return super().decrypt(message, signers)
        except KeyringUnusable as why:
            return Decrypted(Encryption(EncryptionState.UNDECRYPTABLE, str(why)))


@contextmanager
def borrow(home: Path | None, *, passphrase: str | None) -> Iterator[BorrowedKeyring]:
    """Lend the keys of `home` (None: no keys at all) through a copy that is thrown away.

    Raises KeyringUnusable when its keys cannot be read.
    """
    sweep()
    with passing_home() as copy:
        if home is not None:
            _copy_keys(home, copy)
        keyring = BorrowedKeyring(copy, passphrase=passphrase)
        try:
            yield keyring
        finally:
            keyring.close()
            _leave_no_socket(copy)


def _copy_keys(home: Path, copy: Path) -> None:
    if (home / _KEYBOX_DAEMON).exists():
        raise KeyringUnusable(
            "This GnuPG home keeps its public keys with keyboxd; export them into an empty one."
        )
    try:
        for name in _RINGS:
            if (home / name).is_dir():
                shutil.copytree(home / name, copy / name)
            elif (home / name).exists():
                shutil.copyfile(home / name, copy / name)
    except (OSError, shutil.Error):
        raise KeyringUnusable("The keys in this GnuPG home cannot be read.") from None


def _leave_no_socket(home: Path) -> None:
    """Where the system has /run/user, the agent's socket lies there and not in the home."""
    command = ["gpgconf", "--homedir", str(home), "--remove-socketdir"]
    with suppress(OSError, subprocess.SubprocessError):
        subprocess.run(command, env=environment(home), capture_output=True, check=False, timeout=20)  # noqa: S603
