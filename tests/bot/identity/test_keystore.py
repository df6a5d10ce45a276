# SPDX-License-Identifier: AGPL-3.0-or-later
"""A disk that takes no keys for a while: the bot waits, says so, and goes on as if nothing had been."""

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bot.conftest import Enter, numbers
from tests.bot.keytrouble import Trouble, gone, read_only, work
from tests.bot.people import PASSWORD, Bot
from tests.services.synapse import Homeserver

APART = ["unshare", "--map-root-user", "--mount"]


def can_mount() -> bool:
    """Whether this user may have mounts of their own; some machines forbid it."""
    return (
        shutil.which(APART[0]) is not None and subprocess.run([*APART, "true"], check=False).returncode == 0
    )


@pytest.mark.parametrize("trouble", [read_only, gone])
async def test_keys_that_cannot_be_kept_wait_and_nothing_is_lost(
    bot: Bot, enter: Enter, trouble: Trouble
) -> None:
    await work(bot, trouble, await enter("ana"), await enter("ben"))


@pytest.mark.skipif(not can_mount(), reason="no mounts for this user")
async def test_on_a_disk_that_is_full_keys_wait_too(synapse: Homeserver, tmp_path: Path) -> None:
    names = [synapse.register(f"full{next(numbers)}", PASSWORD) for _ in range(3)]
    command = [
        *APART,
        sys.executable,
        "-m",
        "tests.bot.keytrouble",
        synapse.url,
        str(tmp_path / "disk"),
        *names,
    ]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    assert "cannot be written: is the disk full" in said.decode()
