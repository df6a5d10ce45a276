# SPDX-License-Identifier: AGPL-3.0-or-later
"""A private PostgreSQL cluster from Debian's binaries, with one database per test."""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any, Self

import asyncpg

from helproom.demo.homeserver import free_port

START_SECONDS = 60.0
OWNER = "helproom"
PASSWORD = "test-only"
# A test's cluster is thrown away, so nothing of it needs to reach the disk.
SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
synchronous_commit = off
full_page_writes = off
shared_buffers = 32MB
max_connections = 60
"""

# A database has hundreds of files: one for each test costs more than the test, and so does TRUNCATE of all.
EMPTYING = """
DO $$
DECLARE
    name text;
BEGIN
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid();
    SET LOCAL session_replication_role = replica;
    FOR name IN SELECT quote_ident(tablename) FROM pg_tables
        WHERE schemaname = 'public' AND tablename <> 'alembic_version'
    LOOP
        EXECUTE 'DELETE FROM ' || name;
    END LOOP;
    FOR name IN SELECT quote_ident(sequencename) FROM pg_sequences
        WHERE schemaname = 'public' AND last_value IS NOT NULL
    LOOP
        EXECUTE 'ALTER SEQUENCE ' || name || ' RESTART';
    END LOOP;
END $$
"""


def find_binaries() -> Path:
    """Return the folder of the newest PostgreSQL that Debian has installed. Raises FileNotFoundError."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise FileNotFoundError("PostgreSQL is not installed: apt-get install postgresql")
    return found[-1].parent


class Cluster:
    """One PostgreSQL server on a free port, gone with its data after `stop`."""

    def __init__(self) -> None:
        """Choose the port; nothing runs yet."""
        self.port = free_port()
        self.folder = Path()
        self._binaries = find_binaries()
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count(1)
        self._cleaners: dict[str, _Cleaner] = {}

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def start(self) -> None:
        """Make the cluster, start it and wait until it takes connections."""
        self.folder = Path(tempfile.mkdtemp(prefix="helproom-postgres-"))
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres")
        data = self.folder / "data"
        (self.folder / "password").write_text(PASSWORD)
        (self.folder / "password").chmod(0o644)
        initdb = [*self._tool("initdb"), "-D", str(data), "-U", OWNER, "-A", "scram-sha-256", "--no-sync"]
        self._run([*initdb, f"--pwfile={self.folder / 'password'}", "-E", "UTF8", "--locale=C.UTF-8"])
        with (data / "postgresql.conf").open("a") as settings:
            settings.write(SETTINGS)
        self._launch(data)

    def fresh(self) -> str:
        """Make an empty database and return its SQLAlchemy address."""
        name = f"test_{next(self._numbers)}"
        self._run([str(self._binaries / "createdb"), *self._login(), name])
        return f"postgresql+asyncpg://{OWNER}:{PASSWORD}@127.0.0.1:{self.port}/{name}"

    def empty(self, address: str) -> None:
        """Take everything out of a database but its tables, and everybody else."""
        name = address.rpartition("/")[2]
        if name not in self._cleaners:
            self._cleaners[name] = _Cleaner(f"postgresql://{OWNER}:{PASSWORD}@127.0.0.1:{self.port}/{name}")
        self._cleaners[name].run(EMPTYING)

    def stop(self) -> None:
        """End every server process at once (SIGQUIT) and delete the cluster."""
        for cleaner in self._cleaners.values():
            cleaner.stop()
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
            self._process = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def _launch(self, data: Path) -> None:
        with (self.folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [*self._tool("postgres", deathsig=True), "-D", str(data), "-p", str(self.port)],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        ready = [str(self._binaries / "psql"), *self._login(), "-qtAc", "select 1", "postgres"]
        while subprocess.run(ready, env=_environment(), capture_output=True, check=False).returncode:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(
                    f"PostgreSQL did not start:\n{(self.folder / 'output').read_text()[-2000:]}"
                )
            time.sleep(0.05)

    def _login(self) -> list[str]:
        return ["-h", "127.0.0.1", "-p", str(self.port), "-U", OWNER]

    def _tool(self, name: str, *, deathsig: bool = False) -> list[str]:
        """PostgreSQL refuses to run as root, so root becomes the user that Debian made for it."""
        user = ["--reuid=postgres", "--regid=postgres", "--init-groups"] if os.geteuid() == 0 else []
        death = ["--pdeathsig=QUIT"] if deathsig else []
        return ["setpriv", *user, *death, "--", str(self._binaries / name)]

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(command, cwd=self.folder, env=_environment(), capture_output=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr.decode(errors="replace"))


class _Cleaner:
    """A connection that is kept, with a loop of its own, for what is done before each test."""

    def __init__(self, address: str) -> None:
        self._thread = ThreadPoolExecutor(1)  # the test's loop belongs to the test's thread
        self._runner = asyncio.Runner()
        self._connection = self._do(asyncpg.connect(address))

    def run(self, statement: str) -> None:
        """Run a statement."""
        self._do(self._connection.execute(statement))

    def stop(self) -> None:
        """Close the connection."""
        self._do(self._connection.close())
        self._thread.submit(self._runner.close).result()
        self._thread.shutdown()

    def _do(self, work: Any) -> Any:
        return self._thread.submit(self._runner.run, work).result()


def _environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "PGPASSWORD": PASSWORD}
