# SPDX-License-Identifier: AGPL-3.0-or-later
"""The stage of the demo: a homeserver, a mail server, keys, a desk and two agents, all in one folder."""

import base64
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

from bot.testing.person import Person
from helproom import logs
from helproom.config.sections.log import LogSection
from helproom.config.settings import Settings, read_settings
from helproom.demo.homeserver import Homeserver, Site, free_port
from helproom.wiring import Running, serving
from helproom.world import real_world
from mail.openpgp.keyring import Keyring
from mail.testing.lmtp_client import hand_over
from mail.testing.smtp_server import Catcher
from storage.sealing.vault import new_master_key

ENGLISH = "help@desk.example"
FRENCH = "aide@desk.example"
USER = "mila.sample@example.org"
HOLD_SECONDS = 3
_KEY_DAYS = 30
VISITORS = ("you", "colleague", "admin")
"""Two agents and an admin, whom whoever looks at the demo may log in as."""
_NAMES = ("helproom", "ana", "bob", *VISITORS)
_LETTER = """\
#!/bin/sh
# Hands a letter with these words over to the desk.
printf 'From: you@example.org\\nSubject: Hello\\n\\n%s\\n' "$*" |
    {python} -m helproom --config {config} deliver --sender you@example.org --recipient {address}
"""


@dataclass(frozen=True)
class Secrets:
    """The folder of everything, and the one password of all accounts; made for this demo alone."""

    folder: Path
    password: str


@dataclass(frozen=True)
class Stage:
    """Everything that runs, and the user's own keys, which the desk never has."""

    secrets: Secrets
    homeserver: Homeserver
    settings: Settings
    running: Running
    catcher: Catcher
    ana: Person
    bob: Person
    user: Keyring
    shift: contextlib.AsyncExitStack
    """Its end is the desk's stop."""

    @property
    def bot(self) -> str:
        """The bot's Matrix user id."""
        return self.running.session.user_id

    @property
    def config(self) -> Path:
        """The desk's config file."""
        return self.secrets.folder / "config.yaml"

    @property
    def log(self) -> Path:
        """The desk's log file."""
        return self.secrets.folder / "log"

    @property
    def user_key(self) -> str:
        """The fingerprint of the user's key."""
        return self.user.secret_keys()[0].fingerprint

    def queue_key(self, name: str) -> str:
        """The fingerprint of a queue's key."""
        return next(queue.fingerprint for queue in self.settings.queues if queue.name == name)

    def public_key(self, queue: str) -> bytes:
        """A queue's public key, armored."""
        return self.running.desk.keyring.export_public_key(self.queue_key(queue))

    def letter_script(self, python: str) -> Path:
        """Write a script that hands a letter over, and return where it is."""
        script = self.secrets.folder / "letter"
        _keep(script, _LETTER.format(python=python, config=self.config, address=ENGLISH))
        return script

    async def with_usual_hold(self) -> "Stage":
        """Start the desk again with the hold that a new desk has."""
        await self.shift.aclose()
        lines = self.config.read_text(encoding="utf-8").splitlines(keepends=True)
        usual = [line for line in lines if not line.startswith(("replies:", "  hold:"))]
        self.config.write_text("".join(usual), encoding="utf-8")
        settings = read_settings(self.config)
        running = await self.shift.enter_async_context(serving(settings))
        return replace(self, settings=settings, running=running)

    async def deliver(self, letter: bytes, *, sender: str) -> None:
        """Hand a letter for the English address over, as a mail server does."""
        await hand_over(letter, sender=sender, recipient=ENGLISH, port=self.running.lmtp_port)


@contextlib.asynccontextmanager
async def stage(folder: Path, tell: Callable[[str], None]) -> AsyncIterator[Stage]:
    """Start everything in `folder` and stop it afterwards; `tell` hears what is being started."""
    secrets = Secrets(folder, real_world().token())
    async with contextlib.AsyncExitStack() as stack:
        logs.set_up(
            LogSection(), stack.enter_context((folder / "log").open("a", buffering=1, encoding="utf-8"))
        )
        tell("a Matrix homeserver (Synapse), which is not to be trusted with what is said")
        homeserver = stack.enter_context(Homeserver(Site(folder / "synapse", secrets.password)))
        ids = {name: homeserver.register(name, secrets.password) for name in _NAMES}
        tell("a mail server that catches what leaves")
        catcher = await stack.enter_async_context(Catcher())
        tell("OpenPGP keys: two of the desk, one of a user, Mila; thrown away afterwards")
        user = Keyring(folder / "mila", passphrase=None)
        stack.callback(user.close)
        user.make_key(f"Mila <{USER}>", expires=_KEY_DAYS)
        settings = _write_desk(secrets, homeserver, catcher, ids)
        tell("two agents, Ana and Bob, with Matrix clients of their own")
        people = [await _log_in(secrets, homeserver, ids[name]) for name in ("ana", "bob")]
        for person in people:
            stack.push_async_callback(person.close)
        tell("Helproom, which makes its encrypted rooms and invites the agents")
        shift = await stack.enter_async_context(contextlib.AsyncExitStack())
        running = await shift.enter_async_context(serving(settings))
        yield Stage(secrets, homeserver, settings, running, catcher, people[0], people[1], user, shift)


async def _log_in(secrets: Secrets, homeserver: Homeserver, user_id: str) -> Person:
    folder = secrets.folder / user_id[1:].partition(":")[0]
    return await Person.log_in(homeserver.url, user_id, secrets.password, folder)


def _write_desk(secrets: Secrets, homeserver: Homeserver, catcher: Catcher, ids: dict[str, str]) -> Settings:
    passphrase = real_world().token()
    english, french = _make_keys(secrets.folder / "gnupg", passphrase)
    _keep(secrets.folder / "master.key", base64.b64encode(new_master_key()).decode())
    _keep(secrets.folder / "matrix.password", secrets.password)
    _keep(secrets.folder / "passphrase", passphrase)
    text = resources.files("helproom.demo").joinpath("config.yaml").read_text(encoding="utf-8")
    config = secrets.folder / "config.yaml"
    _keep(
        config,
        text.format(
            homeserver=homeserver.url,
            bot=ids["helproom"],
            **{name: ids[name] for name in ("ana", "bob", *VISITORS)},
            english=ENGLISH,
            french=FRENCH,
            english_key=english,
            french_key=french,
            lmtp=free_port(),
            smtp=catcher.port,
            hold=HOLD_SECONDS,
        ),
    )
    return read_settings(config)


def _make_keys(home: Path, passphrase: str) -> tuple[str, str]:
    keyring = Keyring(home, passphrase=passphrase)
    try:
        english, french = (
            keyring.make_key(f"Example help desk <{address}>", expires=_KEY_DAYS)
            for address in (ENGLISH, FRENCH)
        )
    finally:
        keyring.close()
    return english, french


def _keep(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
