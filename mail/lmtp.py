# SPDX-License-Identifier: AGPL-3.0-or-later
"""The LMTP door (RFC 2033): a 250 means that the letter is kept."""

import asyncio
import errno
import socket
from collections.abc import Callable
from pathlib import Path

from mail.arrival import Arrival, Keep
from mail.limits import LETTER_BYTES
from mail.lmtp_session import Guard, Speaker

__all__ = ["Arrival", "Keep", "LmtpDoor"]


class LmtpDoor:
    """Listens on a Unix socket or on loopback, inside the running event loop.

    `queue_of` maps a recipient (with its token) to a queue or None; `keep` returns when the
    letter is safe on disk.
    """

    def __init__(
        self,
        queue_of: Callable[[str], str | None],
        keep: Keep,
        *,
        path: Path | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        largest: int = LETTER_BYTES,
    ) -> None:
        """Choose the place: `path` for a Unix socket, else `host` and `port` (0: any free one).

        `largest` is the size in bytes from which on letters are refused.
        """
        self._guard = Guard(queue_of, keep, largest)
        self._path = path
        self._address = (host, port)
        self._server: asyncio.Server | None = None
        self._speakers: set[Speaker] = set()

    @property
    def port(self) -> int:
        """The TCP port it listens on; 0 for a Unix socket or when it is shut."""
        sockets = self._server.sockets if self._server and self._path is None else ()
        return int(sockets[0].getsockname()[1]) if sockets else 0

    async def start(self) -> None:
        """Listen; raises OSError when the place is taken or not allowed."""
        loop = asyncio.get_running_loop()
        if self._path is None:
            self._server = await loop.create_server(self._speak, *self._address)
            return
        _refuse_taken(self._path)
        self._server = await loop.create_unix_server(self._speak, str(self._path))
        # The mail server runs as another user of our group.
        self._path.chmod(0o660)

    async def stop(self, *, grace: float = 10.0) -> None:
        """Take no more connections, let letters under way be answered for `grace` seconds, then hang up."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        self._guard.shutting = True
        for speaker in list(self._speakers):
            speaker.hang_up_when_idle()
        if busy := [speaker.gone for speaker in self._speakers]:
            await asyncio.wait(busy, timeout=grace)
        for speaker in list(self._speakers):
            speaker.hang_up()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _speak(self) -> "Speaker":
        return Speaker(self._guard, self._speakers)


def _refuse_taken(path: Path) -> None:
    """Asyncio would take the socket away from a process that still listens on it."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return
    raise OSError(errno.EADDRINUSE, "Somebody already listens on the LMTP socket")
