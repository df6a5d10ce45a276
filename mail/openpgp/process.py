# SPDX-License-Identifier: AGPL-3.0-or-later
"""GnuPG as a child with limits, and its agent; status lines are kept, nothing is concluded here."""

import hashlib
import logging
import os
import resource
import select
import signal
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import gnupg

from mail.openpgp.status import StatusLine

# python-gnupg prints commands and pieces of keys at DEBUG.
logging.getLogger("gnupg").setLevel(logging.WARNING)

_AGENT_CONF = """\
allow-loopback-pinentry
# A wrong passphrase shows at once, and the right one lies in no cache.
default-cache-ttl 0
max-cache-ttl 0
disable-scdaemon
# Else a few letters and answers at once leave it without memory for secrets, and one of them fails.
auto-expand-secmem 0x40000
pinentry-program /bin/false
# The passphrase holds at least 20 random bytes, so stretching it adds nothing but 200 ms to each letter.
s2k-count 65536
"""
_LONGEST_SOCKET = 107
_ANSWER_SECONDS = 20.0
_ANY_OUTPUT = 4_000_000
_MOST_PACKED = 30
_STATUS = b"[GNUPG:] "


class KeyringUnusable(Exception):
    """GnuPG, its agent or the passphrase fails: the desk's fault, not the letter's. Try again later."""

    exit_code = os.EX_UNAVAILABLE


@dataclass(frozen=True)
class GpgLimits:
    """What one child process of GnuPG may use."""

    cpu_seconds: int = 20
    memory_bytes: int = 1 << 30
    wall_seconds: float = 60.0
    output_bytes: int = 25_000_000
    key_bytes: int = 64 * 1024

    def most_output(self, size: int) -> int:
        """How many bytes a message of `size` may unpack to; logs pack to a twentieth."""
        return min(self.output_bytes, _ANY_OUTPUT + _MOST_PACKED * size)


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


class GuardedGpg(gnupg.GPG):  # type: ignore[misc]  # python-gnupg has no types
    """GnuPG under limits, in its own process group. One object serves a home from any number of threads."""

    def __init__(self, home: Path, limits: GpgLimits) -> None:
        """Run nothing but a look at GnuPG's version. Raises KeyringUnusable where it cannot be started."""
        self.limits = limits
        options = ["--no-options", "--no-autostart", "--log-file", "/dev/null"]
        options += ["--max-output", str(limits.output_bytes), "--trust-model", "always"]
        options += ["--no-auto-key-retrieve", "--no-auto-key-locate", "--no-auto-check-trustdb"]
        options += ["--disable-dirmngr", "--no-symkey-cache"]
        try:
            super().__init__(gnupghome=str(home), options=options, env=environment(home), encoding="utf-8")
        except (OSError, ValueError):
            raise KeyringUnusable("GnuPG cannot be started in the OpenPGP home.") from None

    def run(
        self, args: Sequence[str], data: bytes, *, passphrase: str | None = None, files: Sequence[int] = ()
    ) -> Run:
        """Run gpg with `data` on its standard input; `files` are files in memory that it may read.

        Raises KeyringUnusable when the machine has no process or file left for it.
        """
        if not isinstance(data, bytes):
            raise TypeError("GnuPG takes bytes only.")
        try:
            run = self._run_once(args, data, passphrase, files)
            # Without a word it has not even begun, for want of memory or the like: that may be over by now.
            has_begun = run.returncode <= 0 or run.lines or run.data
            return run if has_begun else self._run_once(args, data, passphrase, files)
        except OSError as problem:
            raise KeyringUnusable(f"GnuPG cannot be run: {type(problem).__name__}.") from None

    def _run_once(
        self, args: Sequence[str], data: bytes, passphrase: str | None, files: Sequence[int]
    ) -> Run:
        for file in files:
            os.lseek(file, 0, os.SEEK_SET)
        given = data if passphrase is None else b"".join((passphrase.encode(), b"\n", data))
        # Not python-gnupg's own way, which starts three threads for each run, and whose result classes
        # decide what a run means. From files in memory nobody waits for anybody.
        with in_memory([given, b"", b""]) as (_, streams):
            os.lseek(streams[0], 0, os.SEEK_SET)
            with self._open_subprocess(list(args), passphrase is not None, files, streams) as process:
                _await_end(process, self.limits.wall_seconds)
            output, told = (os.pread(stream, os.fstat(stream).st_size, 0) for stream in streams[1:])
        return _run(process.returncode, output, told)

    def _open_subprocess(
        self,
        args: list[str],
        passphrase: bool = False,  # noqa: FBT001, FBT002  (python-gnupg calls it so)
        files: Sequence[int] = (),
        streams: Sequence[int] = (subprocess.PIPE,) * 3,
    ) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(  # noqa: S603  (arguments are ours, there is no shell)
            self.make_args(args, passphrase),
            stdin=streams[0],
            stdout=streams[1],
            stderr=streams[2],
            bufsize=0,
            env=self.env,
            pass_fds=tuple(files),
            start_new_session=True,
        )
        try:
            _confine(process.pid, self.limits)
        except OSError:
            _kill_group(process)
            process.wait()
            raise
        return process


def _await_end(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    """Wait for the child's end; it is killed after `seconds`.

    Not with `wait(timeout=...)`, which asks again and again, in pauses that are longer than GnuPG's work.
    """
    try:
        ended = os.pidfd_open(process.pid)
    except OSError:
        _kill_group(process)
        raise
    try:
        poll = select.poll()
        poll.register(ended, select.POLLIN)
        if not poll.poll(seconds * 1000):
            _kill_group(process)
    finally:
        os.close(ended)
        process.wait()


def _run(returncode: int, output: bytes, told: bytes) -> Run:
    """Read the status lines, which GnuPG ends with LF and with nothing else.

    Python's other line ends (U+2028, U+0085 and more) may stand in a user id.
    """
    lines: list[StatusLine] = []
    session_key = None
    for line in told.split(b"\n"):
        if line.startswith(_STATUS):
            key, _, value = line[len(_STATUS) :].rstrip(b"\r").decode("utf-8", "replace").partition(" ")
            if key == "SESSION_KEY":
                session_key = value.strip(" ")
            else:
                lines.append(StatusLine(key, value.strip(" ")))
    return Run(tuple(lines), returncode, output, session_key)


def _confine(pid: int, limits: GpgLimits) -> None:
    # Set from outside, as the child begins: no code between fork and exec.
    with suppress(ProcessLookupError):
        _lower(pid, resource.RLIMIT_CPU, limits.cpu_seconds)
        _lower(pid, resource.RLIMIT_AS, limits.memory_bytes)
        # The hard limit stays: GnuPG sets both itself as it starts, and dies if the hard one falls meanwhile.
        most = resource.prlimit(pid, resource.RLIMIT_CORE)[1]
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, most))


def _lower(pid: int, which: int, wanted: int) -> None:
    """Set a limit; nobody but root can raise one that stands lower already, as with `ulimit -v`."""
    hard = resource.prlimit(pid, which)[1]
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.prlimit(pid, which, (limit, limit))


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
            handles.append(handle)
        yield [f"/proc/self/fd/{handle}" for handle in handles], handles


class Agent:
    """The gpg-agent of one home. Started by us and not by gpg, whose limits it would inherit."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.known: int | None = None
        """The number of the agent that answered last (`awake`); it may be gone."""
        self._starting = threading.Lock()
        write_agent_conf(home)
        self._socket = unquote(self._gpgconf("--list-dirs", "agent-socket").strip())
        if len(os.fsencode(self._socket)) > _LONGEST_SOCKET:
            raise KeyringUnusable("The path of the OpenPGP home is too long for the agent's socket.")

    def home_written(self) -> tuple[int, ...]:
        """When the keys of the home were written, by whichever process; another value means other keys."""
        files = (self._home / "pubring.kbx", self._home / "private-keys-v1.d")
        return tuple(file.stat().st_mtime_ns for file in files if file.exists())

    def awake(self) -> int:
        """Start the agent unless it answers; return a number by which to tell it from the next one.

        Raises KeyringUnusable.
        """
        found = self._ask() or self._start()
        if found is None:
            raise KeyringUnusable("The desk's gpg-agent does not start.")
        self.known = found
        return found

    def _start(self) -> int | None:
        with self._starting:
            if not self.answers():
                self._gpgconf("--launch", "gpg-agent")
        return self._ask()

    def answers(self) -> bool:
        """Whether the agent accepts connections."""
        return self._ask() is not None

    def _ask(self) -> int | None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(_ANSWER_SECONDS)
            try:
                client.connect(self._socket)
            except OSError:
                return None
            credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
            return int(struct.unpack("3i", credentials)[0])

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
