# SPDX-License-Identifier: AGPL-3.0-or-later
"""A desk to be killed: `helproom run`, forked from a process that has everything imported and waits.

What differs from the real command is the clock, which runs fast, and the pauses, which are short. Two wrong
modes show that the test would notice: "early-250" answers before it writes, "fresh-ids" takes a new
transaction id for each try.
"""

import asyncio
import ctypes
import datetime as dt
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import bot.http.pause
from bot.sync.syncing import Syncer
from desk.context import Workplace
from desk.delivery.delivery import Delivery
from desk.outbox.kinds import Kind, Kinds
from desk.outbox.outcomes import OutboxItem, Outcome, Sender
from desk.world import World
from helproom import wiring
from helproom.__main__ import main
from helproom.features import mail_in
from helproom.jobs import schedule
from helproom.jobs.keeping import keeper
from helproom.parts import opening
from helproom.world import real_world
from mail.inbound.incoming import Keep
from mail.workers.letters import LetterWorker
from storage.queries.letters import IncomingMail

HASTE = 60
"""So many seconds pass in the desk while one passes outside: pauses of minutes are over soon."""
CHECK_SECONDS = 0.1
FIRST_PAUSE = 0.05
Attempt = Callable[[schedule.Job], Awaitable[float]]
PR_SET_PTRACER = 0x59616D61
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Plan:
    """Which desk is to run."""

    folder: str
    """Here are its config.yaml and its data."""
    began: float
    """Seconds since 1970, the same for all lives of one desk."""
    wrong: str = ""
    door_only: bool = False
    """Letters are kept and left alone and nobody listens to rooms, so that all writing is the letters'."""


def hasty_world(began: float) -> World:
    """Return a world whose clock runs fast."""
    real = real_world()
    start = dt.datetime.fromtimestamp(began, dt.UTC)
    return World(lambda: start + (real.now() - start) * HASTE, real.token)


class HastyDelivery(Delivery):
    """Looks often, as the pauses of its rows are counted in hasty seconds."""

    async def run(self, *, poll: float = CHECK_SECONDS) -> None:
        await super().run(poll=poll)


class ForgetfulDelivery(HastyDelivery):
    """Takes a new transaction id for each try."""

    def __init__(self, place: Workplace, kinds: Kinds, carriers: Mapping[Kind, Sender]) -> None:
        super().__init__(place, kinds, _forgetful(carriers, place.world))


def prepare(plan: Plan) -> None:
    """Make the process hasty, and wrong if it is to be."""
    world = hasty_world(plan.began)
    _put(bot.http.pause, "FIRST", FIRST_PAUSE)
    _put(opening, "real_world", lambda: world)
    _put(wiring, "Delivery", HastyDelivery)
    _put(schedule, "_attempt", _hasty_attempt)
    if plan.door_only:
        _put(LetterWorker, "run", _wait)
        _put(Syncer, "run", _wait)
    if plan.wrong == "early-250":
        _put(mail_in, "keeper", lambda *of: _hasty(keeper(*of)))
    if plan.wrong == "fresh-ids":
        _put(wiring, "Delivery", ForgetfulDelivery)


def _put(into: object, name: str, what: object) -> None:
    patch.object(into, name, what).start()


async def _hasty_attempt(job: schedule.Job, attempt: Attempt = schedule._attempt) -> float:
    """Run a job once; sleep as many seconds as its hasty ones take."""
    return max(CHECK_SECONDS, await attempt(job) / HASTE)


async def _wait(_: object) -> None:
    await asyncio.Event().wait()


def _forgetful(carriers: Mapping[Kind, Sender], world: World) -> Mapping[Kind, Sender]:
    def forgetting(carry: Sender) -> Sender:
        async def attempt(parcel: OutboxItem) -> Outcome:
            return await carry(replace(parcel, ref=world.token()))

        return attempt

    return {kind: forgetting(carry) for kind, carry in carriers.items()}


def _hasty(keep: Keep) -> Keep:
    tasks: set[asyncio.Task[None]] = set()

    async def promise(mail: IncomingMail) -> None:
        async def later() -> None:
            await asyncio.sleep(0.01)
            await keep(mail)

        tasks.add(asyncio.create_task(later()))

    return promise


def live(plan: Plan) -> None:
    """In the forked process: wait until the tracer is there, then run."""
    folder = Path(plan.folder)
    output = os.open(folder / "output", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_PTRACER, ctypes.c_ulong(-1))
    # No desk outlives the test, however that ends.
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    prepare(plan)
    while not (folder / "go").exists():
        time.sleep(0.002)
    main(["run", "--config", str(folder / "config.yaml")])


def wait_for_plans(lines: Any, fork: Callable[[], int] = os.fork) -> None:
    """For each plan on a line make a process and name its id; one that has ended is not waited for."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in lines:
        child = fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                live(Plan(**json.loads(line)))
            finally:
                os._exit(1)
        print(child, flush=True)  # noqa: T201 - the answer to the plan


if __name__ == "__main__":
    print("ready", flush=True)  # noqa: T201 - what is waited for
    wait_for_plans(iter(sys.stdin.readline, ""))
