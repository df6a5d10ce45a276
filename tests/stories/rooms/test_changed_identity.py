# SPDX-License-Identifier: AGPL-3.0-or-later
"""An agent sets up encryption anew: the operators hear of it, and an admin lets the agent in again."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

from bot.testing.person import Person, Seen
from tests.bot.people import reset_identity
from tests.services.synapse import Homeserver
from tests.worlds.matrix import SAMPLES, MatrixDesk, Plan, running_desk


async def begin_anew(desk: MatrixDesk, plan: Plan) -> tuple[Seen, str]:
    """Open a ticket, let bob set up his encryption anew; return the announcement and what the admins read."""
    await desk.deliver((SAMPLES / "01-new-en-wifi-large.eml").read_bytes())
    announcement = await desk.announced(1, by=desk.agents[1])
    await reset_identity(desk.agents[1]._client, plan.folder / "bob")
    told = await desk.hears("has changed")
    return announcement, told.body


async def is_answered(desk: MatrixDesk, person: Person, announcement: Seen, line: str, answer: str) -> None:
    await person.say(announcement.room_id, line, thread=announcement.event_id)
    await desk.hears(answer, thread=announcement.event_id)


async def test_an_admin_accepts_it_with_the_words_that_were_told(tmp_path: Path, synapse: Homeserver) -> None:
    plan = Plan(tmp_path, synapse)
    async with running_desk(plan) as desk:
        announcement, told = await begin_anew(desk, plan)
        bob = desk.agents[1]
        await is_answered(desk, bob, announcement, "!claim", "is not verified (cross-signed)")
        [words] = re.findall(r"`(!pins accept [^`]+)`", told)
        operators = next(seen.room_id for seen in desk.ana.seen if seen.body == told)
        await desk.ana.say(operators, words)
        accepted = await desk.hears("is accepted")
        assert accepted.room_id == operators
        await desk.obeys("!claim", announcement.room_id, announcement.event_id, by=bob)


async def test_who_runs_the_desk_accepts_it_on_the_command_line(tmp_path: Path, synapse: Homeserver) -> None:
    plan = Plan(tmp_path, synapse)
    async with running_desk(plan) as desk:
        announcement, _ = await begin_anew(desk, plan)
        bob = desk.agents[1]
        listed = await helproom(plan, "list")
        assert listed.splitlines()[0].startswith(f"{bob.user_id}: ")
        assert "CHANGED: now" in listed
        assert "is being accepted" in await helproom(plan, "accept", bob.user_id)
        # The bell of another process is not heard here: the poll comes within half a minute.
        desk.running.desk.units.wake_ups.outbox.set()
        await desk.hears("is accepted")
        await desk.obeys("!claim", announcement.room_id, announcement.event_id, by=bob)
        assert "CHANGED" not in await helproom(plan, "list")


async def helproom(plan: Plan, *words: str) -> str:
    """Run `helproom pins` beside the running desk."""
    config = str(plan.folder / "config.yaml")
    command = [sys.executable, "-m", "helproom", "pins", *words, "--config", config]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    return out.decode()
