# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether SQLite still writes into the file that the config names.

SQLite does not notice that a file was renamed, removed or replaced: it goes on writing into the old one.
"""

from pathlib import Path

_GONE = (
    "The database file is gone: it was renamed or removed. Nothing is taken in until the same file is back "
    "in its place. If it cannot come back, restore the backup and restart."
)
_REPLACED = (
    "Another file lies where the database was. Nothing is taken in until the same file is back. "
    "If the other one is right, restart."
)


class SameFile:
    """The database's file and its write-ahead log, as they were when they were opened."""

    def __init__(self, database: Path) -> None:
        """Nothing is known yet, so nothing is wrong."""
        self._database = database
        self._known: dict[Path, tuple[int, int]] = {}

    def closed(self) -> None:
        """Forget the write-ahead log: it is removed with the last connection."""
        self._known = {file: was for file, was in self._known.items() if file == self._database}

    def opened(self) -> None:
        """Note which files they are."""
        log = self._database.resolve()
        for file in (self._database, log.with_name(f"{log.name}-wal")):
            if file.exists():
                self._known.setdefault(file, _identity(file))

    def trouble(self) -> str | None:
        """Return a sentence when one of the files is gone or another lies in its place."""
        try:
            is_same = all(_identity(file) == was for file, was in self._known.items())
        except FileNotFoundError:
            return _GONE
        except OSError as error:
            return f"The database file cannot be reached: {error.strerror}."
        return None if is_same else _REPLACED


def _identity(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_dev, status.st_ino
