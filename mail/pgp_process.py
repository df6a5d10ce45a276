# SPDX-License-Identifier: AGPL-3.0-or-later
"""GnuPG as a child with limits, and its agent; status lines are kept, nothing is concluded here."""

import copy
import fcntl
import hashlib
import io
import logging
import os
import resource
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import gnupg

from mail.pgp_status import StatusLine

# python-gnupg prints commands and pieces of keys at DEBUG.
logging.getLogger("gnupg").setLevel(logging.WARNING)

_AGENT_CONF = """\
allow-loopback-pinentry
# A wrong passphrase shows at once, and the right one lies in no cache.
default-cache-ttl 0
max-cache-ttl 0
disable-scdaemon
pinentry-program /bin/false
# The passphrase holds at least 20 random bytes, so stretching it adds nothing but 200 ms to each letter.
s2k-count 65536
"""
_LONGEST_SOCKET = 107
_PIPE_BYTES = 1 << 18


class KeyringUnusable(Exception):
    """GnuPG, its agent or the passphrase fails: the desk's fault, not the letter's. Try again later."""


@dataclass(frozen=True)
class GpgLimits:
    """What one child process of GnuPG may use."""

    cpu_seconds: int = 20
    memory_bytes: int = 1 << 30
    wall_seconds: float = 60.0
    output_bytes: int = 25_000_000
    key_bytes: int = 64 * 1024


@dataclass(frozen=True)
class Run:
    """What one child left behind; `data` is not to be trusted before a verdict."""

    lines: tuple[StatusLine, ...]
    returncode: int
    data: bytes = field(repr=False)
    session_key: str | None = field(default=None, repr=False)

    @property
    def session_digest(self) -> str | None:
        """SHA-256 of the session key, in hexadecimal digits."""
        return hashlib.sha256(self.session_key.encode()).hexdigest() if self.session_key else None

    @property
    def has_aead_key(self) -> bool:
        """Whether the session key names a mode of authenticated encryption beside its cipher ("9.2:...")."""
        return "." in (self.session_key or "").partition(":")[0]

    @property
    def killed(self) -> bool:
        """Whether a limit or the watchdog ended it."""
        return self.returncode < 0


class StrictResult(gnupg.StatusHandler):  # type: ignore[misc]  # python-gnupg has no types
    """Keeps every status line in order and has no opinion; stands in for all result classes."""

    def __init__(self, gpg: "GuardedGpg") -> None:
        super().__init__(gpg)
        self.lines: list[StatusLine] = []
        self.session_key: str | None = None
        self.data = b""
        self.stderr = ""
        self.returncode: int | None = None

    def handle_status(self, key: str, value: str) -> None:
        if key == "SESSION_KEY":
            self.session_key = value
        else:
            self.lines.append(StatusLine(key, value))


class GuardedGpg(gnupg.GPG):  # type: ignore[misc]
    """GnuPG under limits, in its own process group, with a watchdog.

    One object serves a home from any number of threads: each run works on a shallow copy.
    """

    result_map = dict.fromkeys(gnupg.GPG.result_map, StrictResult)
    buffer_size = 64 * 1024

    def __init__(self, home: Path, limits: GpgLimits) -> None:
        self.limits = limits
        self.inherited: tuple[int, ...] = ()
        options = ["--no-options", "--no-autostart", "--log-file", "/dev/null"]
        options += ["--max-output", str(limits.output_bytes), "--trust-model", "always"]
        options += ["--no-auto-key-retrieve", "--no-auto-key-locate", "--no-auto-check-trustdb"]
        options += ["--disable-dirmngr", "--no-symkey-cache"]
        super().__init__(gnupghome=str(home), options=options, env=environment(home), encoding="utf-8")

    def run(
        self, args: Sequence[str], data: bytes, *, passphrase: str | None = None, files: Sequence[int] = ()
    ) -> Run:
        """Run gpg once with `data` on its standard input; `files` are descriptors it may read."""
        if not isinstance(data, bytes):
            raise TypeError("GnuPG takes bytes only.")
        job = copy.copy(self)
        job.inherited = tuple(files)
        result = StrictResult(job)
        # A child that has seen enough closes its input early; its return code tells.
        with suppress(BrokenPipeError):
            # The one seam: no public method takes all our arguments.
            job._handle_io(  # noqa: SLF001
                list(args), io.BytesIO(data), result, passphrase, binary=True
            )
        if result.returncode is None:
            raise KeyringUnusable("GnuPG ended before it was asked anything.")
        return Run(tuple(result.lines), result.returncode, result.data, result.session_key)

    def _open_subprocess(self, args: list[str], passphrase: bool = False) -> "subprocess.Popen[bytes]":  # noqa: FBT001, FBT002  (python-gnupg calls it so)
        process = subprocess.Popen(  # noqa: S603  (arguments are ours, there is no shell)
            self.make_args(args, passphrase),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.env,
            pass_fds=self.inherited,
            start_new_session=True,
        )
        _confine(process.pid, self.limits)
        _widen(process)
        return process

    def _collect_output(self, process: "subprocess.Popen[bytes]", *args: Any, **kwargs: Any) -> int:
        watchdog = threading.Timer(self.limits.wall_seconds, _kill_group, [process])
        watchdog.daemon = True
        watchdog.start()
        try:
            return int(super()._collect_output(process, *args, **kwargs))
        finally:
            watchdog.cancel()

    def _read_response(self, stream: Any, result: StrictResult) -> None:
        # Upstream decodes first and splits at U+2028, U+0085 and others too, with which a user id
        # could begin a status line of its own. GnuPG ends its lines with LF and escapes that one.
        for line in stream.stream:
            if line.startswith(b"[GNUPG:] "):
                key, _, value = line[9:].rstrip(b"\r\n").decode("utf-8", "replace").partition(" ")
                result.handle_status(key, value.strip(" "))


def _confine(pid: int, limits: GpgLimits) -> None:
    # Set from outside before the child has got any input: no code between fork and exec.
    with suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_CPU, (limits.cpu_seconds, limits.cpu_seconds))
        resource.prlimit(pid, resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))


def _widen(process: "subprocess.Popen[bytes]") -> None:
    """Let a whole letter lie in the pipes: GnuPG and our threads wait less for each other."""
    for pipe in (process.stdin, process.stdout):
        # The kernel may refuse a user who has many pipes; then they stay as they are.
        with suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)  # type: ignore[arg-type]


def _kill_group(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def environment(home: Path) -> dict[str, str]:
    """The whole environment of GnuPG's programs: no locale, no other home."""
    return {"GNUPGHOME": str(home), "LC_ALL": "C", "PATH": os.environ.get("PATH", os.defpath)}


@contextmanager
def in_memory(contents: Sequence[bytes]) -> Iterator[tuple[list[str], list[int]]]:
    """Files which exist in memory only, as (paths for a child that inherits them, descriptors)."""
    with ExitStack() as stack:
        handles: list[int] = []
        for content in contents:
            handle = os.memfd_create("openpgp")
            stack.callback(os.close, handle)
            with os.fdopen(os.dup(handle), "wb") as file:
                file.write(content)
            os.lseek(handle, 0, os.SEEK_SET)
            handles.append(handle)
        yield [f"/proc/self/fd/{handle}" for handle in handles], handles


class Agent:
    """The gpg-agent of one home. Started by us and not by gpg, whose limits it would inherit."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._starting = threading.Lock()
        write_agent_conf(home)
        self._socket = unquote(self._gpgconf("--list-dirs", "agent-socket").strip())
        if len(os.fsencode(self._socket)) > _LONGEST_SOCKET:
            raise KeyringUnusable("The path of the OpenPGP home is too long for the agent's socket.")

    def awake(self) -> None:
        """Start the agent unless it answers. Raises KeyringUnusable."""
        if self.answers():
            return
        with self._starting:
            if not self.answers():
                self._gpgconf("--launch", "gpg-agent")

    def answers(self) -> bool:
        """Whether the agent accepts connections."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            try:
                client.connect(self._socket)
            except OSError:
                return False
            return True

    def stop(self) -> None:
        """End the agent, if it runs."""
        if self.answers():
            self._gpgconf("--kill", "gpg-agent")

    def _gpgconf(self, *args: str) -> str:
        try:
            done = subprocess.run(  # noqa: S603
                ["gpgconf", "--homedir", str(self._home), *args],  # noqa: S607  (found by PATH, as gpg is)
                env=environment(self._home),
                check=True,
                capture_output=True,
                text=True,
                timeout=20,
            )
        except (OSError, subprocess.SubprocessError) as problem:
            raise KeyringUnusable(f"gpgconf {args[0]} failed: {type(problem).__name__}.") from None
        return done.stdout


def write_agent_conf(home: Path) -> None:
    """Make the home private and give its agent our settings and no others."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.chmod(0o700)
    conf = home / "gpg-agent.conf"
    if not conf.exists() or conf.read_text(encoding="utf-8") != _AGENT_CONF:
        conf.write_text(_AGENT_CONF, encoding="utf-8")
