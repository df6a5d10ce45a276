# SPDX-License-Identifier: AGPL-3.0-or-later
"""HTTP for python-redmine within limits: time, size, no redirects, nothing taken from the environment."""

import time
from pathlib import Path
from typing import Any

import requests
from redminelib.engines import SyncEngine
from redminelib.exceptions import ValidationError

SECONDS = 5.0
"""For connecting, for each pause between bytes, and for the whole answer."""
LARGEST = 1_000_000
_PIECE = 16_384


class TooLong(requests.RequestException):
    """The answer took too long or was too large."""


class BoundedSession(requests.Session):
    """Requests end in time, and redirects are not followed: the API key would follow too."""

    def __init__(self, ca_file: Path | None, seconds: float) -> None:
        super().__init__()
        # Neither proxies nor passwords (.netrc) from the environment.
        self.trust_env = False
        self._trusted: str | bool = str(ca_file) if ca_file else True
        self._seconds = seconds

    def request(  # type: ignore[override]  # the rest is handed on as it comes
        self, method: str, url: str, *args: Any, **kwargs: Any
    ) -> requests.Response:
        """Make one request and read its whole answer. Raises requests.RequestException."""
        limits = {"timeout": self._seconds, "allow_redirects": False, "verify": self._trusted, "stream": True}
        end = time.monotonic() + self._seconds
        response = super().request(method, url, *args, **(kwargs | limits))
        held = bytearray()
        for piece in response.iter_content(_PIECE):
            held += piece
            if len(held) > LARGEST or time.monotonic() > end:
                response.close()
                raise TooLong
        # What requests itself does after it has read an answer; there is no public way to hand it one.
        response._content = bytes(held)  # noqa: SLF001
        return response


class BoundedEngine(SyncEngine):  # type: ignore[misc]  # python-redmine has no types
    """python-redmine's engine on a BoundedSession."""

    @staticmethod
    def create_session(**options: Any) -> requests.Session:
        """Make the session; `ca_file` and `seconds` are ours, the rest is python-redmine's."""
        session = BoundedSession(options["ca_file"], options["seconds"])
        session.headers.update(options["headers"])
        return session

    def process_response(self, response: requests.Response) -> Any:
        """Hand over what python-redmine reads in it; of a 422 it would take any body for a list of errors."""
        if response.status_code == requests.codes.unprocessable_entity:
            raise ValidationError("")
        return super().process_response(response)
