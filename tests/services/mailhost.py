# SPDX-License-Identifier: AGPL-3.0-or-later
"""Debian's Dovecot and Postfix, each with a config of its own under /tmp, on loopback."""

import contextlib
import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

from helproom.demo.homeserver import bound_to_us, free_port
from tests.services.mailserver import Certificate, make_certificate

START_SECONDS = 60.0
USER = "help@desk.example"
PASSWORD = "test-only"
# Dovecot reads no mail as root, and root's tests need some other user for it.
_OWNER = "mail"
_MASTER = "/usr/lib/postfix/sbin/master"
DOVECOT = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1, 127.0.0.2
ssl = required
ssl_cert = <{certificate.file}
ssl_key = <{certificate.key}
disable_plaintext_auth = yes
auth_failure_delay = 0
mail_location = maildir:{folder}/mail/%n
mail_uid = {uid}
mail_gid = {gid}
first_valid_uid = 1
default_login_user = {login_user}
default_internal_user = {internal_user}
default_internal_group = {internal_group}
mail_max_userip_connections = 50
imap_capability = {capability}
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail/%n
}}
namespace inbox {{
  inbox = yes
  separator = {separator}
  prefix = {prefix}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service stats {{
  chroot =
}}
"""
POSTFIX = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
meta_directory = /etc/postfix
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.desk.example
mydestination =
mynetworks =
local_transport = error:no local mail
local_recipient_maps =
alias_maps =
alias_database =
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
disable_dns_lookups = yes
biff = no
smtputf8_enable = yes
# What does not belong to the desk ends in a folder; nothing leaves this machine.
virtual_mailbox_domains = desk.example user.example
virtual_mailbox_base = {folder}/outside
virtual_mailbox_maps = static:sender/
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
default_transport = error:nothing leaves this machine
smtpd_relay_restrictions = reject_unauth_destination
message_size_limit = 40000000
mailbox_size_limit = 0
virtual_mailbox_limit = 0
minimal_backoff_time = 1s
maximal_backoff_time = 1s
queue_run_delay = 1s
transport_retry_time = 1s
# The lines of docs/admins.md, with an address that the desk does not know (any more):
transport_maps = inline:{{ {{help@desk.example=lmtp:{door}}} {{gone@desk.example=lmtp:{door}}} }}
recipient_delimiter = +
"""
MASTER = """
127.0.0.1:{smtp} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
proxymap unix - - n - - proxymap
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
showq unix n - n - - showq
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


class _Daemon:
    """A program in the foreground and the folder that is thrown away after it."""

    def __init__(self, name: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"helproom-{name}-"))
        # Daemons that serve as other users must get to their files.
        self.folder.chmod(0o755)
        self._process: subprocess.Popen[bytes] | None = None

    def _launch(self, command: list[str], *ports: int) -> None:
        with (self.folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                bound_to_us(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not all(map(_listens, ports)):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} did not start:\n{self._said()}")
            time.sleep(0.02)

    def _said(self) -> str:
        logs = (self.folder / name for name in ("output", "log"))
        return "\n".join(log.read_text(errors="replace")[-2000:] for log in logs if log.exists())

    def stop(self) -> None:
        """Kill the daemon and its children; harmless when it does not run."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def remove(self) -> None:
        """Stop, and delete all that it wrote."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Dovecot(_Daemon):
    """An IMAP server with one account, USER with PASSWORD; mail and ports outlive a stop."""

    def __init__(self, *, capability: str = "", separator: str = "/", prefix: str = "") -> None:
        """Write the config.

        `capability`: what the server claims to be able to do, instead of the truth. `prefix`: what the names
        of all folders but the inbox begin with.
        """
        super().__init__("dovecot")
        self.imap, self.imaps = free_port(), free_port()
        self.certificate: Certificate = make_certificate(self.folder)
        for name in ("mail", "state"):
            (self.folder / name).mkdir()
        if os.geteuid() == 0:
            shutil.chown(self.folder / "mail", _OWNER, _OWNER)
        self.set_password(PASSWORD)
        (self.folder / "dovecot.conf").write_text(
            DOVECOT.format(
                folder=self.folder,
                certificate=self.certificate,
                imap=self.imap,
                imaps=self.imaps,
                capability=capability,
                separator=separator,
                prefix=prefix,
                **_users(),
            )
        )

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop and leave nothing."""
        self.remove()

    @property
    def maildir(self) -> Path:
        """Where the account's inbox lies."""
        return self.folder / "mail" / USER.partition("@")[0]

    def start(self) -> None:
        """Start and wait until it listens."""
        self._launch(["dovecot", "-F", "-c", str(self.folder / "dovecot.conf")], self.imap, self.imaps)

    def set_password(self, password: str) -> None:
        """Let the account in by another password from now on."""
        (self.folder / "users").write_text(f"{USER}:{{PLAIN}}{password}\n")
        (self.folder / "users").chmod(0o644)

    def make_anew(self, validity: int) -> None:
        """Empty the inbox and number its letters from 1 again, with another UIDVALIDITY."""
        self.stop()
        shutil.rmtree(self.maildir)
        self.start()
        self._doveadm("mailbox", "update", "-u", USER, "--uid-validity", str(validity), "INBOX")

    def hang_up(self) -> None:
        """Drop every connection of the account, as a server does that is overloaded."""
        self._doveadm("kick", USER)

    def _doveadm(self, *words: str) -> None:
        doveadm = ["doveadm", "-c", str(self.folder / "dovecot.conf"), *words]
        subprocess.run(doveadm, check=True, capture_output=True)


class Postfix(_Daemon):
    """A mail exchanger that hands help@ and gone@desk.example to `door` by LMTP; root must start it.

    Mail to user.example, bounces among it, ends in the folder `outside/sender`.
    """

    def __init__(self, door: str) -> None:
        """Write the config; `door` as in lmtp(8): inet:127.0.0.1:PORT or unix:PATH."""
        super().__init__("postfix")
        self.smtp = free_port()
        for name in ("queue", "data", "outside"):
            (self.folder / name).mkdir()
        shutil.chown(self.folder / "data", "postfix")
        shutil.chown(self.folder / "outside", _OWNER)
        (self.folder / "main.cf").write_text(POSTFIX.format(folder=self.folder, door=door, **_users()))
        (self.folder / "master.cf").write_text(MASTER.format(smtp=self.smtp))

    def __enter__(self) -> Self:
        """Start."""
        # Makes the folders of the queue. Its words on what could be better are for real mail servers.
        subprocess.run(["postfix", "-c", str(self.folder), "check"], check=True, capture_output=True)
        self._launch([_MASTER, "-c", str(self.folder), "-d"], self.smtp)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop and leave nothing."""
        self.remove()

    def outside(self) -> list[bytes]:
        """Return the mails that went to user.example."""
        return [file.read_bytes() for file in sorted((self.folder / "outside/sender/new").glob("*"))]

    def forget_outside(self) -> None:
        """Throw away what went to user.example."""
        shutil.rmtree(self.folder / "outside" / "sender", ignore_errors=True)

    def flush(self) -> None:
        """Try at once what waits to be tried again."""
        subprocess.run(["postqueue", "-c", str(self.folder), "-f"], check=True, capture_output=True)

    def queued(self) -> int:
        """Return how many mails wait to be delivered."""
        listing = ["postqueue", "-c", str(self.folder), "-j"]
        return len(subprocess.run(listing, check=True, capture_output=True).stdout.splitlines())


def _users() -> dict[str, object]:
    """Who reads mail, and as whom Dovecot's processes run: Debian's users, or ourselves without root."""
    if os.geteuid() == 0:
        owner = pwd.getpwnam(_OWNER)
        names = ("dovenull", "dovecot", "dovecot")
    else:
        owner = pwd.getpwuid(os.geteuid())
        names = (owner.pw_name, owner.pw_name, grp.getgrgid(owner.pw_gid).gr_name)
    keys = ("login_user", "internal_user", "internal_group")
    return {"uid": owner.pw_uid, "gid": owner.pw_gid, **dict(zip(keys, names, strict=True))}


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
