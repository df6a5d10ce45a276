# SPDX-License-Identifier: AGPL-3.0-or-later
"""Files and folders that nobody else on the machine may read."""

import os
from pathlib import Path

PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600


def make_private_folder(folder: Path) -> None:
    """Make the folder with mode 0700, or give an existing one and the files in it private modes."""
    folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    folder.chmod(PRIVATE_FOLDER)
    for entry in folder.iterdir():
        if entry.is_file() and not entry.is_symlink():
            entry.chmod(PRIVATE_FILE)


def write_new(file: Path, text: str) -> None:
    """Write a secret that must not exist yet, synced to disk; raises FileExistsError."""
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, PRIVATE_FILE)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    _sync_folder(file.parent)


def replace(file: Path, text: str) -> None:
    """Write a secret in one step: after a crash the file holds the old text or the new one, never half."""
    fresh = file.with_name(file.name + ".new")
    fresh.unlink(missing_ok=True)
    write_new(fresh, text)
    fresh.replace(file)
    _sync_folder(file.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
