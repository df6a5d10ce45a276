# SPDX-License-Identifier: AGPL-3.0-or-later
"""A whole help desk for a story: its config and keys, real servers around it, agents with real clients."""

import asyncio
import base64
import contextlib
import smtplib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bot.testing.person import PATIENCE, Person, Seen
from desk.outbox.posts import DONE_KEY
from helproom.config.settings import Settings, read_settings
from helproom.demo.homeserver import free_port
from helproom.wiring import Running, serving
from mail.openpgp.keyring import Keyring
from mail.testing.smtp_server import Catcher
from storage.sealing.vault import new_master_key
from tests.services.synapse import Homeserver

PASSWORD = "test-only"
PASSPHRASE = "test-only-0123456789abcdef"
SAMPLES = Path(__file__).parent.parent / "mails" / "whisperback"
SUPPORT = "support@tails.net"
FRENCH = "support-fr@tails.net"

CONFIG = """\
data_dir: data
master_key_file: master.key
{more}matrix:
  homeserver: {homeserver}
  user_id: "{bot}"
  password_file: matrix.password
{matrix}queues:
  - name: en
    language: en
    address: {support}
    role_name: Tails help desk
    fingerprint: {fingerprint}
    detect: true
  - name: fr
    language: fr
    address: {french}
    role_name: Tails help desk
    fingerprint: {french_fingerprint}
operators:
  admins: ["{admin}"]
agents: [{agents}]
shifts:
  - who: "{admin}"
    days: mon-sun
    from: "00:00"
    to: "00:00"
    zone: UTC
mail:
{mail}  gnupg_home: gnupg
  passphrase_file: passphrase
  lmtp:
    listen: 127.0.0.1:{lmtp}
  submission:
    host: 127.0.0.1
    port: {smtp}
    security: none
replies:
  hold: {hold}s
"""


@dataclass
class MatrixDesk:
    """A desk that runs, the agents' clients and the mail server that takes answers."""

    settings: Settings
    running: Running
    agents: list[Person]
    catcher: Catcher
    shift: contextlib.AsyncExitStack
    """Its end is the desk's stop."""

    @property
    def ana(self) -> Person:
        return self.agents[0]

    async def stop(self) -> None:
        """Stop the desk; agents, homeserver and mail server stay."""
        await self.shift.aclose()

    async def start(self) -> None:
        """Start the desk again on the same folder."""
        self.running = await self.shift.enter_async_context(serving(self.settings))

    async def deliver(self, raw: bytes, recipient: str = SUPPORT, sender: str = "user@example.org") -> None:
        """Hand a mail over by LMTP, as a mail server does."""

        def hand_over() -> None:
            with smtplib.LMTP("127.0.0.1", self.running.lmtp_port) as door:
                door.sendmail(sender, [recipient], raw)

        await asyncio.to_thread(hand_over)

    async def announced(self, number: int, by: Person | None = None) -> Seen:
        """The announcement of a ticket, as an agent's client shows it."""
        return await (by or self.ana).wait_for(
            lambda seen: f"#{number} " in seen.body and seen.thread is None and seen.replaces is None
        )

    async def hears(
        self, text: str, *, thread: str | None = None, by: Person | None = None, seconds: float = PATIENCE
    ) -> Seen:
        """What the bot says that holds this text."""
        bot = self.running.session.user_id
        return await (by or self.ana).wait_for(
            lambda seen: (
                seen.sender == bot
                and text in seen.body
                and seen.replaces is None
                and (thread is None or seen.thread == thread)
            ),
            seconds=seconds,
        )

    async def obeys(self, line: str, room: str, thread: str | None = None, by: Person | None = None) -> None:
        """Say a command of which nothing is to be read: the bot shows at it that it was obeyed."""
        person = by or self.ana
        said = await person.say(room, line, thread=thread)
        await person.wait_for_reaction(said, DONE_KEY)

    async def edited(self, announcement: Seen, text: str, by: Person | None = None) -> Seen:
        """The announcement's edit that holds this text."""
        return await (by or self.ana).wait_for(
            lambda seen: seen.replaces == announcement.event_id and text in seen.body
        )


@dataclass
class Plan:
    """What differs from story to story."""

    folder: Path
    homeserver: Homeserver
    names: tuple[str, ...] = ("ana", "bob")
    others: tuple[str, ...] = ()
    """Agents who come with a client of their own."""
    hold: int = 1
    more: str = ""
    """Lines of the config that other stories do without."""
    mail: str = ""
    """The same for its section on mail."""
    matrix: str = ""
    """The same for its section on Matrix."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """What these lines name: secrets by file name."""

    def user_id(self, name: str) -> str:
        """The Matrix user id of somebody in this story, and in no other."""
        return f"@{name}-{self.folder.name}:{self.homeserver.server_name}".lower()


def write_desk(plan: Plan, smtp_port: int) -> Path:
    """Write config, keys and secrets; return the config file."""
    folder = plan.folder
    keyring = Keyring(_private(folder / "gnupg"), passphrase=PASSPHRASE)
    fingerprint = keyring.import_secret_key((SAMPLES / "TEST-ONLY-helpdesk-secret-key.asc").read_bytes())
    french = keyring.make_key(f"Tails help desk <{FRENCH}>", expires=30)
    keyring.close()
    people = [plan.user_id(name) for name in (*plan.names, *plan.others)]
    for name, secret in (
        ("master.key", base64.b64encode(new_master_key()).decode()),
        ("matrix.password", PASSWORD),
        ("passphrase", PASSPHRASE),
        *plan.secrets.items(),
    ):
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(secret)
    config = folder / "config.yaml"
    config.write_text(
        CONFIG.format(
            more=plan.more,
            mail=plan.mail,
            matrix=plan.matrix,
            homeserver=plan.homeserver.url,
            bot=plan.user_id("bot"),
            support=SUPPORT,
            french=FRENCH,
            fingerprint=fingerprint,
            french_fingerprint=french,
            admin=people[0],
            agents=", ".join(f'"{person}"' for person in people[1:]),
            lmtp=free_port(),
            smtp=smtp_port,
            hold=plan.hold,
        )
    )
    return config


def _private(folder: Path) -> Path:
    folder.mkdir(mode=0o700)
    return folder


@contextlib.asynccontextmanager
async def running_desk(plan: Plan) -> AsyncIterator[MatrixDesk]:
    """Open a desk with its agents for the time of the block."""
    async with contextlib.AsyncExitStack() as stack:
        catcher = await stack.enter_async_context(Catcher())
        config = write_desk(plan, catcher.port)
        settings = read_settings(config)
        for name in ("bot", *plan.names, *plan.others):
            plan.homeserver.register(plan.user_id(name).partition(":")[0][1:], PASSWORD)
        agents = []
        for name in plan.names:
            user_id = plan.user_id(name)
            person = await Person.log_in(plan.homeserver.url, user_id, PASSWORD, plan.folder / name)
            stack.push_async_callback(person.close)
            agents.append(person)
        shift = await stack.enter_async_context(contextlib.AsyncExitStack())
        running = await shift.enter_async_context(serving(settings))
        yield MatrixDesk(settings, running, agents, catcher, shift)
