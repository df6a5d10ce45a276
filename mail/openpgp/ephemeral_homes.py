# SPDX-License-Identifier: AGPL-3.0-or-later
"""GnuPG homes for one look at keys: they lie in memory, and what a killed process left of them is swept."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_MEMORY = Path("/dev/shm")  # noqa: S108  (a private folder is made in it)
_PREFIX = "helproom-openpgp-"


@contextmanager
def passing_home() -> Iterator[Path]:
    """Lend an empty home that is gone afterwards; only where the machine offers no memory it lies on disk."""
    home, handle = _new()
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)
        os.close(handle)


def _new() -> tuple[Path, int]:
    """Make a home and lock it; the lock tells a sweep that a living process uses it.

    A sweep may come between the two, and then the home is nobody's: another one is made.
    """
    where = _MEMORY if os.access(_MEMORY, os.W_OK | os.X_OK) else None
    while True:
        home = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=where))
        with suppress(FileNotFoundError):
            handle = _locked(home)
            if handle is not None and os.fstat(handle).st_nlink:
                return home, handle


def sweep() -> int:
    """Remove the homes that no process uses any more; return how many they were."""
    places = {_MEMORY, Path(tempfile.gettempdir())}
    return sum(_remove_if_left(home) for place in places for home in place.glob(f"{_PREFIX}*"))


def _remove_if_left(home: Path) -> bool:
    with suppress(OSError):
        if home.is_symlink() or home.stat().st_uid != os.geteuid():
            return False
        handle = _locked(home)
        if handle is None:
            return False
        try:
            shutil.rmtree(home)
        finally:
            os.close(handle)
        return True
    return False


def _locked(home: Path) -> int | None:
    """Return an open handle that holds the home's lock; None when somebody has it."""
    handle = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle
