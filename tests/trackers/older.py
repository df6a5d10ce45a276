# SPDX-License-Identifier: AGPL-3.0-or-later
"""A Redmine of version 4 in front of a real one: its issues do not say whether their status is closed."""

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.services.redmine import Redmine

KEY = "X-Redmine-API-Key"


@contextmanager
def older(redmine: Redmine) -> Iterator[str]:
    """Serve what Redmine answers, as version 4 would; gives the base address."""

    class Older(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            key = {KEY: self.headers[KEY]}
            with urllib.request.urlopen(
                urllib.request.Request(f"{redmine.url}{self.path}", headers=key)
            ) as real:
                found = json.load(real)
            if "issue" in found:
                del found["issue"]["status"]["is_closed"]
            body = json.dumps(found).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Older) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
