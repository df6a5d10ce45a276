# SPDX-License-Identifier: AGPL-3.0-or-later
"""Two whole desks on one config: the second ends with a sentence, and the first does not notice."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE

import pytest

from storage.engine.single_use import IN_USE
from tests.crash.conftest import Ground
from tests.crash.model import until
from tests.crash.story import READ_SECONDS, story

END_SECONDS = 15.0

pytestmark = pytest.mark.asyncio(loop_scope="package")


@pytest.mark.timeout(120)
async def test_a_second_desk_on_the_same_database_ends_at_once(ground: Ground) -> None:
    async with story(ground.model, ground.place(), calm=True) as told:
        life = await ground.nursery.bear(told.plan)
        try:
            await told.post()
            told.letter, told.acknowledged = told.letter.replace(b"one@", b"two@"), False
            code, words = await _run(f"{told.plan.folder}/config.yaml")
            assert (code, words.strip()) == (os.EX_TEMPFAIL, IN_USE)
            await told.post()
            await until(lambda: told._count("ticket") == 2, READ_SECONDS)
            assert life.lives
        finally:
            await life.end()


async def _run(config: str) -> tuple[int | None, str]:
    """Run the real command; return its exit code, None when it does not end by itself, and its words."""
    command = (sys.executable, "-m", "helproom", "run", "--config", config)
    process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE)
    try:
        async with asyncio.timeout(END_SECONDS):
            _, words = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return None, ""
    return process.returncode, words.decode()
