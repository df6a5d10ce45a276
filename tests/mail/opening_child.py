# SPDX-License-Identifier: AGPL-3.0-or-later
"""A process of its own that opens letters and says what each has cost: OPENER HOME FILE..."""

import json
import sys
import time
from pathlib import Path

from desk.letters.opened import Unopenable
from mail.openpgp.borrowed import borrow
from mail.openpgp.keyring import Keyring
from mail.reading.open_letter import open_letter


def peak() -> int:
    """Return the largest memory of this process so far, in MB (ru_maxrss holds that of its parent too)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def open_one(file: Path, keyring: Keyring) -> dict[str, object]:
    """Open one letter."""
    raw, start = file.read_bytes(), time.perf_counter()
    try:
        opened = open_letter(raw, keyring)
    except Unopenable as why:
        found = str(why)
    else:
        found = opened.encryption.state.value
    return {"found": found, "seconds": time.perf_counter() - start, "megabytes": peak()}


if __name__ == "__main__":
    with borrow(Path(sys.argv[1]), passphrase=None) as keys:
        print(json.dumps({name: open_one(Path(name), keys) for name in sys.argv[2:]}))  # noqa: T201
