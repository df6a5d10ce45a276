# SPDX-License-Identifier: AGPL-3.0-or-later
"""`helproom demo`: a whole help desk on this machine alone, told as it happens."""

import argparse
import asyncio
import contextlib
import shutil
import signal
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console

from helproom.demo.findings import Findings, files_with
from helproom.demo.homeserver import HomeserverError
from helproom.demo.letters import PRIVATE
from helproom.demo.stage import VISITORS, Stage, stage
from helproom.demo.story import Told, tell_story
from helproom.demo.telling import Narrator, head_of

_STAY = """\
Everything keeps running until Ctrl-C. Log in with any Matrix client (Element: “Edit” the homeserver first):

    homeserver   {url}
    users        {users}
    password     {password}

The first two are agents, the last is an admin, and nobody has logged in as them yet. Accept the invitations
to the rooms, and let your client set up its encryption: Helproom writes to verified devices only. What was
said before cannot be read by a new device. An answer is held for {hold} seconds now, as on a new desk.
Then write to the desk, from another terminal; half a minute later it is announced, and you can answer it:

    {letter}

Answers that leave are shown here. The desk's log: {log}"""


def demo(asked: argparse.Namespace) -> int:
    """Tell the story and return 0 when every promise held; with `asked.stay`, keep everything running."""
    narrator = Narrator(Console(highlight=False))
    if (missing := _missing()) is not None:
        raise HomeserverError(missing)
    return asyncio.run(_run(narrator, stay=asked.stay))


def _missing() -> str | None:
    if find_spec("synapse") is None:
        return "The demo needs Synapse, which is not installed here: start it with `scripts/demo`."
    if shutil.which("gpg") is None:
        return "The demo needs GnuPG: install the package gnupg."
    return None


async def _run(narrator: Narrator, *, stay: bool) -> int:
    findings = Findings()
    stop = asyncio.Event()
    narrator.introduce()
    with tempfile.TemporaryDirectory(prefix="helproom-", ignore_cleanup_errors=True) as folder:
        narrator.step("Everything is started, on loopback and in a folder that is thrown away")
        async with stage(Path(folder), narrator.starting) as there:
            narrator.tell(
                "There is no Redmine here, so the commands for its issues (!link, !unlink) are left out."
            )
            await _tell(Told(there, narrator, findings))
            narrator.console.print()
            narrator.console.print(findings.table())
            if stay:
                for number in (signal.SIGINT, signal.SIGTERM):
                    asyncio.get_running_loop().add_signal_handler(number, stop.set)
                await _stay(await there.with_usual_hold(), narrator, stop)
    narrator.tell("Everything is stopped and removed.")
    return findings.exit_code


async def _tell(told: Told) -> None:
    try:
        await tell_story(told)
    except TimeoutError:
        told.findings.check("The story comes to its end", holds=False, seen="what did not happen in time")
        told.narrator.mail("the end of the desk's log", told.stage.log.read_text(encoding="utf-8")[-2000:])
    _look_into_files(told)


def _look_into_files(told: Told) -> None:
    """What lies on the servers' disks. The second half of each check shows that looking works."""
    told.narrator.step("A look into the files of the homeserver and of the desk")
    folder = told.stage.secrets.folder
    for place, claim, always_there in (
        (folder / "synapse", "The homeserver's files hold no word of it", "m.room.encrypted"),
        (folder / "data", "The desk's database holds no word of it in readable form", "SQLite format 3"),
    ):
        leaks = files_with(place, PRIVATE)
        told.findings.check(
            claim,
            holds=not leaks and bool(files_with(place, [always_there])),
            seen=f"found in {', '.join(sorted(leaks))}" if leaks else f"all files, for {len(PRIVATE)} texts",
        )
    in_log = any(word in told.stage.log.read_text(encoding="utf-8") for word in PRIVATE)
    told.findings.check("Nor does the desk's log", holds=not in_log, seen="its log file")
    told.narrator.tell(
        f"Searched for {len(PRIVATE)} texts: addresses, subject, and what was written and answered."
    )


async def _stay(there: Stage, narrator: Narrator, stop: asyncio.Event) -> None:
    narrator.console.print()
    narrator.as_it_is(
        _STAY.format(
            url=there.homeserver.url,
            users=", ".join(VISITORS),
            password=there.secrets.password,
            hold=int(there.running.desk.place.config.replies.hold.total_seconds()),
            letter=f"sh {there.letter_script(sys.executable)} Is anybody there",
            log=there.log,
        )
    )
    showing = asyncio.create_task(_show_answers(there, narrator))
    await stop.wait()
    showing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await showing


async def _show_answers(there: Stage, narrator: Narrator) -> None:
    shown = len(there.catcher.caught)
    while True:
        with contextlib.suppress(TimeoutError):
            mail = await there.catcher.wait_for(shown + 1)
            shown += 1
            narrator.mail("an answer has left", head_of(mail.content, 40))
