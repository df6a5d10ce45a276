# SPDX-License-Identifier: AGPL-3.0-or-later
"""The desk that is copied for each story: new, or one whose first start is behind it."""

import asyncio
import base64
import contextlib
import shutil
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from bot.testing.person import Person
from helproom.demo.homeserver import free_port
from mail.openpgp.keyring import Keyring
from tests.crash.desk_program import Plan
from tests.crash.tracing import Nursery
from tests.faults.fakehs import FakeHomeserver
from tests.faults.memory import learn_from

SAMPLES = Path(__file__).parent.parent / "mails" / "whisperback"
BOT, ANA = "@bot:fake.test", "@ana:fake.test"
BOTS_TOKEN = "token1"
"""Ana is the first to log in, the desk the second."""
ADDRESS, PASSPHRASE = "support@tails.net", "test-only-0123456789abcdef"
ROOMS = 2
START_SECONDS = 30.0
SECRETS = {
    "master.key": base64.b64encode(b"k" * 32).decode(),
    "matrix.password": "test-only",
    "passphrase": PASSPHRASE,
}
CONFIG = """\
data_dir: data
master_key_file: {model}/master.key
matrix:
  homeserver: {homeserver}
  user_id: "{bot}"
  password_file: {model}/matrix.password
queues:
  - name: en
    language: en
    address: {address}
    role_name: Help desk
    fingerprint: {fingerprint}
operators:
  admins: ["{ana}"]
agents: ["{ana}"]
mail:
  gnupg_home: {model}/gnupg
  passphrase_file: {model}/passphrase
  lmtp:
    listen: {lmtp}
  submission:
    host: 127.0.0.1
    port: {smtp}
    security: none
replies:
  hold: 0s
"""


@dataclass(frozen=True)
class Model:
    """Keys and secrets that all desks share, and the desk and the homeserver as a first start leaves them."""

    folder: Path
    fingerprint: str
    homeserver: FakeHomeserver

    def furnish(self, folder: Path, homeserver: FakeHomeserver, smtp: int, *, is_new: bool = False) -> Path:
        """Make a desk in a folder, and let the homeserver know it; return its LMTP socket."""
        folder.mkdir()
        if not is_new:
            shutil.copytree(self.folder / "desk" / "data", folder / "data")
            shutil.copytree(self.folder / "desk" / "ana", folder / "ana")
            learn_from(homeserver, self.homeserver)
        write_config(self, folder, homeserver.url, smtp)
        return folder / "lmtp"


def write_config(of: Model, folder: Path, homeserver: str, smtp: int) -> None:
    """Write a desk's config.yaml."""
    words = CONFIG.format(
        model=of.folder,
        homeserver=homeserver,
        bot=BOT,
        ana=ANA,
        address=ADDRESS,
        fingerprint=of.fingerprint,
        lmtp=folder / "lmtp",
        smtp=smtp,
    )
    (folder / "config.yaml").write_text(words)


async def log_in(homeserver: FakeHomeserver, folder: Path) -> Person:
    """Bring Ana, with a device of her own that she has signed."""
    return await Person.log_in(homeserver.url, ANA, "test-only", folder / "ana")


async def until(is_so: Callable[[], bool], seconds: float) -> None:
    """Wait until something is so. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not is_so():  # noqa: ASYNC110 - what a process has written rings no bell
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def model(folder: Path, nursery: Nursery) -> AsyncIterator[Model]:
    """Make the model; its GnuPG agent runs for the time of the block."""
    (folder / "gnupg").mkdir(mode=0o700)
    for name, secret in SECRETS.items():
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(secret)
    keyring = Keyring(folder / "gnupg", passphrase=PASSPHRASE)
    fingerprint = keyring.import_secret_key((SAMPLES / "TEST-ONLY-helpdesk-secret-key.asc").read_bytes())
    made = Model(folder, fingerprint, FakeHomeserver())
    try:
        async with made.homeserver:
            await _start_first(made, nursery)
        yield made
    finally:
        keyring.close()


async def _start_first(made: Model, nursery: Nursery) -> None:
    """Let a new desk make its rooms and Ana come into them."""
    desk = made.folder / "desk"
    made.furnish(desk, made.homeserver, free_port(), is_new=True)
    ana = await log_in(made.homeserver, desk)
    life = await nursery.bear(Plan(str(desk), time.time()))
    try:
        await until(lambda: len(made.homeserver.joined(ANA)) == ROOMS, START_SECONDS)
        await until(lambda: ana.user_id in made.homeserver.keys.identities, START_SECONDS)
    finally:
        await ana.close()
        await life.stop()
