# SPDX-License-Identifier: AGPL-3.0-or-later
"""A mailbox in a folder of this machine (Maildir++): letters in new/; what is in tmp/ is not there yet."""

import contextlib
import errno
import hashlib
import os
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mail.inbound.mailbox import HEAD_BYTES, MailboxTrouble, NotPutAway, Outcome, Waiting
from mail.limits import LETTER_BYTES

_SEEN = ":2,S"
_BEFORE_FLAGS = ":"
# What was a file when the folder was listed may be a link or a pipe by now.
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


@dataclass(frozen=True)
class MaildirPlace:
    """Where the folder is and what happens to letters."""

    path: Path
    processed: str | None = "Processed"
    """The subfolder for kept letters; "" is cur/ of the same folder; None: they are deleted."""
    quarantined: str = "Quarantined"
    poll: float = 5.0
    """Seconds between two looks."""


class Maildir:
    """One folder; see `Mailbox` for who may call what. Names of files may hold anything and are not told."""

    def __init__(self, place: MaildirPlace) -> None:
        """Nothing is touched yet."""
        self._place = place
        self._new = place.path / "new"
        self._folder = self._new
        self._names: dict[str, str] = {}
        self._hung_up = threading.Event()

    def open(self) -> None:
        """Make the folders for letters that are done with."""
        self._hung_up.clear()
        self.go_back()
        with _told():
            if not self._new.is_dir():
                raise MailboxTrouble("The folder is no Maildir: there is no new/ in it.")
            for folder in {self._place.processed or "", self._place.quarantined}:
                _make(self._place.path, folder)

    def waiting(self) -> list[Waiting]:
        """Return the letters in new/ by age; other things than files are passed over."""
        with _told(), os.scandir(self._folder) as entries:
            found = [
                (status.st_mtime_ns, entry.name, status.st_size)
                for entry in entries
                if not entry.name.startswith(".")
                and stat.S_ISREG((status := entry.stat(follow_symlinks=False)).st_mode)
            ]
        self._names = {_key(name): name for _, name, _ in found}
        return [Waiting(_key(name), size) for _, name, size in sorted(found)]

    def go_aside(self) -> list[Waiting]:
        """Look into cur/ of the folder of refused letters."""
        self._folder = _subfolder(self._place.path, self._place.quarantined) / "cur"
        return self.waiting()

    def go_back(self) -> None:
        """Look into new/ again."""
        self._folder = self._new

    def read(self, letter: Waiting) -> bytes | None:
        """Return the file, or a little more than 25 MB of it."""
        return self._begin(letter, LETTER_BYTES + 1)

    def head(self, letter: Waiting) -> bytes | None:
        """Return the first bytes of the file."""
        return self._begin(letter, HEAD_BYTES)

    def _begin(self, letter: Waiting, size: int) -> bytes | None:
        with _told():
            try:
                handle = os.open(self._file(letter), _READ)
            except FileNotFoundError:
                return None
            with os.fdopen(handle, "rb") as stream:
                return stream.read(size)

    def put_away(self, letter: Waiting, outcome: Outcome) -> None:
        """Move the file to cur/ of its folder, or delete it if that is asked for and it was kept."""
        refused = outcome is Outcome.REFUSED
        folder = self._place.quarantined if refused else self._place.processed
        with _told(refusal=NotPutAway), contextlib.suppress(FileNotFoundError):
            if folder is None or outcome is Outcome.DROPPED:
                self._file(letter).unlink()
                return
            name = self._names[letter.key].partition(_BEFORE_FLAGS)[0] + ("" if refused else _SEEN)
            target = _subfolder(self._place.path, folder) / "cur" / name
            if target.exists():
                raise FileExistsError(errno.EEXIST, "a letter of this name is there already")
            self._file(letter).rename(target)

    def _file(self, letter: Waiting) -> Path:
        return self._folder / self._names[letter.key]

    def wait(self) -> None:
        """Wait for a while."""
        self._hung_up.wait(self._place.poll)

    def hang_up(self) -> None:
        """Wait no longer."""
        self._hung_up.set()

    def close(self) -> None:
        """Nothing is held."""


def _key(name: str) -> str:
    return hashlib.sha256(os.fsencode(name)).hexdigest()


def _subfolder(path: Path, name: str) -> Path:
    return path / f".{name}" if name else path


def _make(path: Path, name: str) -> None:
    folder = _subfolder(path, name)
    for part in ("", "cur", "new", "tmp"):
        (folder / part).mkdir(mode=0o700, exist_ok=True)
    if name:
        (folder / "maildirfolder").touch(mode=0o600)


@contextlib.contextmanager
def _told(refusal: type[MailboxTrouble] = MailboxTrouble) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        code = errno.errorcode.get(error.errno or 0, type(error).__name__)
        raise refusal(f"The mailbox's folder cannot be used: {error.strerror or code}.") from None
