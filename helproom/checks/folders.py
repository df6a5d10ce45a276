# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is wrong with a folder that nobody but Helproom's user may enter."""

import os
import stat
from pathlib import Path


def trouble_with(folder: Path) -> str | None:
    """Return a sentence on what is wrong with a private folder and how to mend it; None when all is well."""
    try:
        status = folder.stat()
    except FileNotFoundError:
        return f"{folder} does not exist: mkdir -m 700 {folder}"
    if not stat.S_ISDIR(status.st_mode):
        return f"{folder} is no folder."
    if status.st_uid != os.geteuid():
        return f"{folder} belongs to another user: run Helproom and this check as that user."
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return f"Others than its owner may enter {folder}: chmod 700 {folder}"
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return f"Helproom may not write to {folder}: chmod 700 {folder}"
    return None


def strangers_in(folder: Path) -> str | None:
    """Return a sentence on what belongs to another user in a folder and below; None when nothing does."""
    inside = [Path(where, name) for where, folders, files in os.walk(folder) for name in (*folders, *files)]
    others = [path for path in inside if _owner(path) not in {None, os.geteuid()}]
    if not others:
        return None
    which = f"{others[0]} belongs" if len(others) == 1 else f"{others[0]} and {len(others) - 1} more belong"
    return f"{which} to another user: chown -R {os.geteuid()} {folder}"


def _owner(path: Path) -> int | None:
    """GnuPG's lock files and sockets come and go."""
    try:
        return path.lstat().st_uid
    except FileNotFoundError:
        return None
