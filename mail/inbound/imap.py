# SPDX-License-Identifier: AGPL-3.0-or-later
"""A mailbox on an IMAP server (RFC 9051), with IDLE (RFC 2177), MOVE (RFC 6851) and UIDPLUS (RFC 4315)."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from imapclient import DELETED, IMAPClient, SocketTimeout

from mail.inbound.imap_errors import told
from mail.inbound.mailbox import HEAD_BYTES, MailboxTrouble, NotPutAway, Outcome, Waiting
from mail.limits import LETTER_BYTES

_PART = 1_000_000
"""Bytes asked for at once, so that a slow line does not look like a dead one."""
_BATCH = 500


@dataclass(frozen=True)
class ImapAccount:
    """How to reach a mailbox; `security: none` is for a server on this machine. Times in seconds."""

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    user: str = field(repr=False)
    password: str = field(repr=False)
    ca_file: Path | None = None
    folder: str = "INBOX"
    processed: str | None = "Processed"
    """Where kept letters go; None: they are deleted."""
    quarantined: str = "Quarantined"
    renewal: float = 300.0
    """How long one IDLE lasts: after 29 minutes servers may hang up."""
    poll: float = 60.0
    """How often to look where a server knows no IDLE."""
    connect_seconds: float = 15.0
    answer_seconds: float = 60.0


@dataclass(frozen=True)
class Abilities:
    """What a server can do, and which of our folders it does not have yet."""

    idle: bool
    clean_moves: bool
    """MOVE or UIDPLUS: letters leave the folder for good, and no other letter is touched."""
    missing: tuple[str, ...]


class _Client(IMAPClient):  # type: ignore[misc] # the library has no types
    """A client that sees what has already been read from the line.

    News that came in one packet with the server's "go ahead" for IDLE lie in a buffer, and no poll of the
    socket tells of them.
    """

    def _poll_socket(self, sock: socket.socket, timeout: float | None = None) -> Any:
        return True if timeout == 0 else super()._poll_socket(sock, timeout)


class ImapMailbox:
    """One folder of one account; see `Mailbox` for who may call what."""

    def __init__(self, account: ImapAccount) -> None:
        """Nothing is connected yet."""
        self._account = account
        self._client: Any = None
        self._validity = 0
        self._prefix = ""
        """What the names of all our folders but the inbox must begin with (RFC 2342)."""
        self._hung_up = threading.Event()

    def open(self) -> None:
        """Log in, select the folder, and make the folders for letters that are done with."""
        self.connect()
        with told("make the folders for letters that are done with"):
            for folder in self._missing():
                self._client.create_folder(folder)

    def connect(self) -> None:
        """Log in and select the folder; raises MailboxTrouble."""
        self.close()
        self._hung_up.clear()
        with told():
            self._secure()
            _log_in(self._client, self._account)
            self._prefix = _prefix_of(self._client)
        self.go_back()

    def go_back(self) -> None:
        """Select the folder to fetch from."""
        with told("open the folder to fetch from"):
            self._select(self._account.folder)

    def go_aside(self) -> list[Waiting]:
        """Select the folder of refused letters, and return them."""
        with told("open the folder for letters that are not taken in"):
            self._select(self._named(self._account.quarantined))
        return self.waiting()

    def _select(self, folder: str) -> None:
        selected = self._client.select_folder(folder)
        self._validity = selected[b"UIDVALIDITY"]
        if b"READ-WRITE" not in selected:
            raise MailboxTrouble("The folder can only be read there, so no letter could be moved out of it.")

    def _secure(self) -> None:
        account = self._account
        trusted = ssl.create_default_context(cafile=str(account.ca_file) if account.ca_file else None)
        self._client = _Client(
            account.host,
            account.port,
            ssl=account.security == "tls",
            ssl_context=trusted,
            timeout=SocketTimeout(account.connect_seconds, account.answer_seconds),
        )
        if account.security == "starttls":
            self._client.starttls(trusted)

    def abilities(self) -> Abilities:
        """Return what the server can do; raises MailboxTrouble."""
        with told():
            clean_moves = self._client.has_capability("MOVE") or self._client.has_capability("UIDPLUS")
            return Abilities(self._client.has_capability("IDLE"), clean_moves, tuple(self._missing()))

    def _missing(self) -> list[str]:
        wanted = (self._account.processed, self._account.quarantined)
        names = [self._named(name) for name in wanted if name is not None]
        return [name for name in names if not self._client.folder_exists(name)]

    def _named(self, folder: str) -> str:
        is_whole = folder.startswith(self._prefix) or folder.upper() == "INBOX"
        return folder if is_whole else f"{self._prefix}{folder}"

    def waiting(self) -> list[Waiting]:
        """Return all letters that are not flagged as deleted, whether somebody has read them or not."""
        with told():
            self._client.noop()
            uids = sorted(self._client.search(["UNDELETED"]))
            batches = [uids[at : at + _BATCH] for at in range(0, len(uids), _BATCH)]
            return [letter for batch in batches for letter in self._sized(batch)]

    def _sized(self, uids: list[int]) -> list[Waiting]:
        found = self._client.fetch(uids, ["RFC822.SIZE"])
        return [
            Waiting(f"{self._validity}/{uid}", answer[b"RFC822.SIZE"])
            for uid, answer in sorted(found.items())
            if b"RFC822.SIZE" in answer
        ]

    def read(self, letter: Waiting) -> bytes | None:
        """Fetch a letter part by part, without marking it as seen; at most a little more than 25 MB."""
        raw = bytearray()
        while len(raw) <= LETTER_BYTES:
            with told():
                part = self._part(_uid(letter), len(raw))
            if part is None:
                if raw:
                    raise MailboxTrouble("A letter was removed while it was read.")
                return None
            raw += part
            if len(part) < _PART:
                break
        return bytes(raw)

    def head(self, letter: Waiting) -> bytes | None:
        """Fetch the first bytes of a letter."""
        with told():
            return self._part(_uid(letter), 0, HEAD_BYTES)

    def _part(self, uid: int, begin: int, size: int = _PART) -> bytes | None:
        """None when there is no such letter any more."""
        answer = self._client.fetch([uid], [f"BODY.PEEK[]<{begin}.{size}>"]).get(uid)
        if answer is None:
            return None
        return answer[f"BODY[]<{begin}>".encode()] or b""

    def put_away(self, letter: Waiting, outcome: Outcome) -> None:
        """Move a letter, or delete it if that is asked for and it was kept."""
        refused = outcome is Outcome.REFUSED
        folder = self._account.quarantined if refused else self._account.processed
        with told("move or delete the letter", NotPutAway):
            if folder is None or outcome is Outcome.DROPPED:
                self._delete(_uid(letter))
            elif self._client.has_capability("MOVE"):
                self._client.move([_uid(letter)], self._named(folder))
            else:
                self._client.copy([_uid(letter)], self._named(folder))
                self._delete(_uid(letter))

    def _delete(self, uid: int) -> None:
        self._client.add_flags([uid], [DELETED], silent=True)
        # Without UIDPLUS, EXPUNGE would take along whatever else is flagged; then the flag must do.
        if self._client.has_capability("UIDPLUS"):
            self._client.uid_expunge([uid])

    def wait(self) -> None:
        """Wait in IDLE until the server tells of something or it is renewed; without IDLE, for a while."""
        with told():
            if not self._client.has_capability("IDLE"):
                self._hung_up.wait(self._account.poll)
                return
            self._client.idle()
            if not self._client.idle_check(0):
                self._client.idle_check(self._account.renewal)
            # A connection that broke meanwhile is noticed here.
            self._client.idle_done()

    def hang_up(self) -> None:
        """Cut the line under whatever the thread does."""
        self._hung_up.set()
        if self._client is not None:
            with contextlib.suppress(OSError):
                # Not SSLSocket's own shutdown, which would take the TLS state away from the other thread.
                socket.socket.shutdown(self._client.socket(), socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection if there is one, without ceremony."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(Exception):
                client.shutdown()


def _uid(letter: Waiting) -> int:
    return int(letter.key.partition("/")[2])


def _prefix_of(client: _Client) -> str:
    personal = client.namespace().personal if client.has_capability("NAMESPACE") else None
    return str(personal[0][0]) if personal else ""


def _log_in(client: _Client, account: ImapAccount) -> None:
    if client.has_capability("LOGINDISABLED"):
        client.plain_login(account.user, account.password)
    else:
        client.login(account.user, account.password)


@contextlib.contextmanager
def connected(account: ImapAccount) -> Iterator[ImapMailbox]:
    """Log in for the length of the block; raises MailboxTrouble."""
    mailbox = ImapMailbox(account)
    try:
        mailbox.connect()
        yield mailbox
    finally:
        mailbox.close()
