# SPDX-License-Identifier: AGPL-3.0-or-later
"""The LMTP door (RFC 2033): a 250 means that the letter is kept."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from pathlib import Path

import structlog

from mail.inbound.incoming import Keep
from mail.inbound.listening import Listener, tcp_sockets, unix_socket
from mail.inbound.lmtp_session import Guard, Speaker
from mail.limits import LETTER_BYTES

log = structlog.get_logger()

MOST_CONNECTIONS = 50
_FULL = b"421 4.3.2 Too many connections; try again later\r\n"


class LmtpDoor:
    """Listens on a Unix socket or on loopback, inside the running event loop.

    `queue_of` maps a recipient (with its token) to a queue or None; `keep` returns when the
    letter is safe on disk.
    """

    def __init__(  # noqa: PLR0913 - they are the config's keys
        self,
        queue_of: Callable[[str], str | None],
        keep: Keep,
        *,
        path: Path | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        largest: int = LETTER_BYTES,
        most_connections: int = MOST_CONNECTIONS,
    ) -> None:
        """Choose the place: `path` for a Unix socket, else `host` and `port` (0: any free one).

        `largest` is the size in bytes from which on letters are refused; beyond `most_connections` at once,
        each further one is told to come later.
        """
        self._guard = Guard(queue_of, keep, largest)
        self._path = path
        self._address = (host, port)
        self._most = most_connections
        self._listener: Listener | None = None
        self._speakers: set[Speaker] = set()
        self._is_full = False

    @property
    def port(self) -> int:
        """The TCP port it listens on; 0 for a Unix socket or when it is shut."""
        return self._listener.port if self._listener else 0

    async def start(self) -> None:
        """Listen; raises OSError when the place is taken or not allowed."""
        sockets = [unix_socket(self._path)] if self._path else tcp_sockets(*self._address)
        self._listener = Listener(sockets, self._welcome)

    async def stop(self, *, grace: float = 10.0) -> None:
        """Take no more connections, let letters under way be answered for `grace` seconds, then hang up."""
        if self._listener is None:
            return
        listener, self._listener = self._listener, None
        await listener.close()
        self._guard.shutting = True
        for speaker in list(self._speakers):
            speaker.hang_up_when_idle()
        if busy := [speaker.gone for speaker in self._speakers]:
            await asyncio.wait(busy, timeout=grace)
        for speaker in list(self._speakers):
            speaker.hang_up()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    async def _welcome(self, connection: socket.socket) -> None:
        if len(self._speakers) >= self._most:
            self._turn_away(connection)
            return
        self._is_full = False
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(self._speak, connection)
        except OSError as problem:
            log.warning("lmtp.connection_lost", trouble=type(problem).__name__)
            connection.close()

    def _turn_away(self, connection: socket.socket) -> None:
        if not self._is_full:
            log.warning("lmtp.full", connections=len(self._speakers))
        self._is_full = True
        with contextlib.suppress(OSError), connection:
            connection.send(_FULL)

    def _speak(self) -> "Speaker":
        return Speaker(self._guard, self._speakers)
