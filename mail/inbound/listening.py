# SPDX-License-Identifier: AGPL-3.0-or-later
"""Listening sockets, and accepting with patience: asyncio itself fills the log when files run out."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import structlog

log = structlog.get_logger()

PAUSE_SECONDS = 1.0
"""How long nobody is let in when the process has no file descriptors left."""
_BACKLOG = 128
_NOT_HERE = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
"""The machine has no such address: it has no IPv6, for one."""

Welcome = Callable[[socket.socket], Awaitable[None]]
"""Takes over a connection, and raises nothing."""


class Listener:
    """Takes connections one after the other, for as long as it is open."""

    def __init__(self, sockets: Sequence[socket.socket], welcome: Welcome) -> None:
        """Begin, inside the running event loop."""
        self._sockets = tuple(sockets)
        self._welcome = welcome
        self._tasks = [asyncio.create_task(self._accept(each)) for each in self._sockets]

    @property
    def port(self) -> int:
        """The TCP port of the first socket; 0 for a Unix socket."""
        name = self._sockets[0].getsockname()
        return int(name[1]) if isinstance(name, tuple) else 0

    async def close(self) -> None:
        """Take no more connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for each in self._sockets:
            each.close()

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        is_told = False
        while True:
            try:
                connection, _ = await loop.sock_accept(listening)
            except ConnectionAbortedError:
                continue
            except OSError as trouble:
                if not is_told:
                    log.warning("lmtp.nobody_let_in", trouble=errno.errorcode.get(trouble.errno or 0))
                is_told = True
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                is_told = False
                await self._welcome(connection)


def tcp_sockets(host: str, port: int) -> list[socket.socket]:
    """Listen at each address of the name; raises OSError when one is taken or none is of this machine."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    with contextlib.ExitStack() as stack:
        bound: list[socket.socket] = []
        for family, address in dict.fromkeys((each[0], each[4]) for each in found):
            try:
                one = socket.create_server((str(address[0]), port), family=family, backlog=_BACKLOG)
            except OSError as problem:
                if problem.errno not in _NOT_HERE or (address is found[-1][4] and not bound):
                    raise
                continue
            bound.append(stack.enter_context(one))
            one.settimeout(0)
        stack.pop_all()
    return bound


def unix_socket(path: Path) -> socket.socket:
    """Listen on a Unix socket, for our group too; raises OSError when somebody listens there already."""
    if path.is_socket():
        _refuse_taken(path)
        path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX)
    try:
        bound.bind(str(path))
        # The mail server runs as another user of our group.
        path.chmod(0o660)
        bound.listen(_BACKLOG)
        bound.settimeout(0)
    except OSError:
        bound.close()
        raise
    return bound


def _refuse_taken(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return
    raise OSError(errno.EADDRINUSE, "Somebody already listens on the LMTP socket")
