# SPDX-License-Identifier: AGPL-3.0-or-later
"""What can go wrong at the wire of a homeserver, scripted request by request."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from aiohttp import web

Json = dict[str, Any]


class Fault(StrEnum):
    """What can go wrong at the wire."""

    TOO_MANY = "429"
    ERROR = "500"
    BAD_GATEWAY = "502"
    """With HTML, as a proxy answers."""
    FORBIDDEN = "403"
    SIGNED_OUT = "401"
    """M_UNKNOWN_TOKEN."""
    HANG = "hang"
    """No answer until the client goes away; nothing is done."""
    REFUSE = "refuse"
    """The connection is cut; nothing is done."""
    LOSE = "lose"
    """It is done, then the connection is cut: the answer is lost."""


@dataclass
class Rule:
    """One scripted fault; `retry_after` in seconds goes out as header, `retry_after_ms` in the body."""

    fault: Fault
    method: str
    path: str
    times: int = 1
    retry_after: int | None = None
    retry_after_ms: int | None = None
    skip: int = 0
    """How many matching requests pass before."""
    token: str = ""
    """Only requests with this access token; empty means all."""

    def fits(self, request: web.Request) -> bool:
        is_theirs = request.headers.get("Authorization", "").endswith(self.token)
        is_meant = self.method == request.method and bool(re.search(self.path, request.path))
        return self.times > 0 and is_meant and is_theirs


def faulty(rule: Rule) -> web.Response:
    """The answer of a fault that answers."""
    if rule.fault is Fault.BAD_GATEWAY:
        return web.Response(status=502, text="<html>Bad Gateway</html>", content_type="text/html")
    codes = {
        Fault.TOO_MANY: "M_LIMIT_EXCEEDED",
        Fault.ERROR: "M_UNKNOWN",
        Fault.FORBIDDEN: "M_FORBIDDEN",
        Fault.SIGNED_OUT: "M_UNKNOWN_TOKEN",
    }
    body: Json = {"errcode": codes[rule.fault], "error": "as scripted"}
    if rule.retry_after_ms is not None:
        body["retry_after_ms"] = rule.retry_after_ms
    headers = {} if rule.retry_after is None else {"Retry-After": str(rule.retry_after)}
    return web.json_response(body, status=int(rule.fault.value), headers=headers)
