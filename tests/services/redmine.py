# SPDX-License-Identifier: AGPL-3.0-or-later
"""Debian's Redmine with puma and SQLite: prepared once, kept in .cache/, started afresh per session."""

import fcntl
import hashlib
import http.client
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

from helproom.demo.homeserver import bound_to_us, free_port

DEBIAN = Path("/usr/share/redmine")
SEED = Path(__file__).with_name("redmine_seed.rb")
CACHE = Path(__file__).parents[2] / ".cache"
START_SECONDS = 120.0
ADMIN_KEY = "a" * 40
DESK_KEY = "b" * 40
# Redmine's Gemfile and Rails both read this file through ERB.
DATABASE = """production:
  adapter: sqlite3
  database: <%= ENV.fetch("REDMINE_DATABASE", "db/prepared.sqlite3") %>
  timeout: 5000
"""
ENVIRONMENT = """config.log_level = :warn
config.logger = Logger.new(ENV.fetch("REDMINE_LOG", "log/prepare.log"))
"""


def prepare() -> Path:
    """Return the folder of a migrated and seeded Redmine, making it first when there is none."""
    if not (DEBIAN / "Gemfile").exists():
        raise FileNotFoundError("Redmine is not installed: apt-get install redmine redmine-sqlite puma")
    recipe = b"".join(path.read_bytes() for path in (Path(__file__), SEED, DEBIAN / "Gemfile"))
    ready = CACHE / f"redmine-{hashlib.sha256(recipe).hexdigest()[:12]}"
    CACHE.mkdir(exist_ok=True)
    # Of several processes that run tests, one makes it, and the others wait.
    with (CACHE / "redmine.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            _make(ready)
    return ready


def _make(ready: Path) -> None:
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        app = Path(scratch) / "redmine"
        _copy_application(app)
        _fill_database(app)
        app.rename(ready)


def _copy_application(app: Path) -> None:
    shutil.copytree(DEBIAN, app, symlinks=True)
    # links out of the copy: what is written here must not reach the machine's own Redmine
    for link in ("Gemfile.lock", "instances", "config/database.yml"):
        (app / link).unlink(missing_ok=True)
    for folder in ("instances", "log", "tmp/pids", "files", "plugins", "public/plugin_assets"):
        (app / folder).mkdir(parents=True, exist_ok=True)
    # Debian keeps the configuration of several sites in instances/NAME; here the one site is the app.
    (app / "instances/default").symlink_to("..")
    gemfile = (app / "Gemfile").read_text()
    (app / "Gemfile").write_text(gemfile.replace(f"'{DEBIAN}/", "__dir__ + '/"))
    (app / "Gemfile.local").write_text("gem 'puma'\n")
    (app / "config/database.yml").write_text(DATABASE)
    (app / "config/additional_environment.rb").write_text(ENVIRONMENT)
    (app / "config/secret_key.txt").write_text("c" * 64)


def _fill_database(app: Path) -> None:
    for command in (
        ["bundle", "install", "--local", "--quiet"],
        ["bundle", "exec", "rake", "db:migrate"],
        # a process of its own: the one that migrated still believes in the old columns
        ["bundle", "exec", "rake", "redmine:load_default_data"],
        ["bundle", "exec", "bin/rails", "runner", str(SEED)],
    ):
        environment = _environment() | {"ADMIN_KEY": ADMIN_KEY, "DESK_KEY": DESK_KEY, "SCHEMA": os.devnull}
        done = subprocess.run(command, cwd=app, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def _environment() -> dict[str, str]:
    ours = {"RAILS_ENV": "production", "REDMINE_LANG": "en", "BUNDLE_SILENCE_ROOT_WARNING": "1"}
    return {"PATH": os.environ["PATH"], "HOME": tempfile.gettempdir(), "LC_ALL": "C.UTF-8"} | ours


class Redmine:
    """One Redmine with project `tails` and issues 1 to 3; data and port outlive a stop."""

    admin_key = ADMIN_KEY
    """May do everything."""
    desk_key = DESK_KEY
    """A reporter of the project `tails`."""

    def __init__(self, folder: Path) -> None:
        """Keep the database and the output under `folder`; nothing runs yet."""
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The base address, without a slash at its end."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def start(self) -> None:
        """Start and wait until the login page is served."""
        app = prepare()
        database = self.folder / "redmine.sqlite3"
        if not database.exists():
            shutil.copy(app / "db/prepared.sqlite3", database)
        files = {"REDMINE_DATABASE": str(database), "REDMINE_LOG": str(self.folder / "log")}
        listen = ["-e", "production", "-b", f"tcp://127.0.0.1:{self.port}", "-t", "1:4"]
        with (self.folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                bound_to_us(["bundle", "exec", "puma", *listen]),
                cwd=app,
                env=_environment() | files,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"Redmine did not start:\n{(self.folder / 'output').read_text()[-2000:]}")
            time.sleep(0.1)

    def stop(self) -> None:
        """End the process; harmless when it does not run."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", "/login")
            return connection.getresponse().status == http.HTTPStatus.OK
        except OSError:
            return False
        finally:
            connection.close()
