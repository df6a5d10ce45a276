# SPDX-License-Identifier: AGPL-3.0-or-later
"""An HTTP server on loopback that says what a test tells it to, whatever it is asked."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Scripted:
    """The server's port, and the requests it got."""

    port: int
    heard: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its base address."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def answering(answer: bytes | None) -> Iterator[Scripted]:
    """Answer each connection with these bytes and hang up; None keeps it open without a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as _:
        server = Scripted(listener.getsockname()[1])
        held: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                server.heard.append(connection.recv(65_536))
                if answer is None:
                    held.append(connection)
                    continue
                with connection:
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in held:
                connection.close()


def http(status: str, body: bytes, *more: str) -> bytes:
    """Make an answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *more]
    return "\r\n".join([*lines, "", ""]).encode() + body
