# SPDX-License-Identifier: AGPL-3.0-or-later
"""GnuPG homes for one look: in memory, gone afterwards, and swept when their process was killed."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mail.openpgp.ephemeral_homes import passing_home, sweep

DWELLER = """
from mail.openpgp.ephemeral_homes import passing_home
with passing_home() as home:
    (home / "pubring.kbx").write_bytes(b"keys")
    print(home, flush=True)
    input()
"""


@contextmanager
def dweller() -> Iterator[tuple["subprocess.Popen[str]", Path]]:
    command = [sys.executable, "-c", DWELLER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


def test_a_home_lies_in_memory_and_is_gone_afterwards() -> None:
    with passing_home() as home:
        filesystem = subprocess.check_output(["stat", "-f", "-c", "%T", home], text=True).strip()
        assert filesystem == "tmpfs"
        assert home.stat().st_mode & 0o077 == 0
    assert not home.exists()


def test_what_a_killed_process_left_is_swept_and_what_is_in_use_is_not() -> None:
    with dweller() as (killed, left), dweller() as (_living, used), passing_home() as own:
        killed.kill()
        killed.wait()
        assert left.exists()
        assert sweep() >= 1
        assert not left.exists()
        assert (used / "pubring.kbx").exists()
        assert own.exists()
    sweep()
    assert not used.exists()
