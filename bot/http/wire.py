# SPDX-License-Identifier: AGPL-3.0-or-later
"""One request to the homeserver: what it answered, or one of three errors."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from nio import AsyncClient

from bot.errors import Rejected, SessionGone, TooFast, TryLater

Json = dict[str, Any]

UNREACHABLE = "The homeserver does not answer."
SIGNED_OUT = (
    "The homeserver no longer accepts this session: the device was signed out or its account closed. "
    "Remove session.json and start again to log in anew."
)
REJECTIONS = {
    "M_FORBIDDEN": "The homeserver forbids it: the bot lacks the right or is not in the room.",
    "M_NOT_FOUND": "The homeserver does not know it: the room, event or user does not exist.",
    "M_TOO_LARGE": "It is larger than the homeserver accepts.",
    "M_UNSUPPORTED_ROOM_VERSION": "The homeserver does not know this room version.",
    "M_INVITE_BLOCKED": "This user does not accept invitations.",
}


_PIECE = 64 * 1024


class Client(AsyncClient):  # type: ignore[misc]
    """nio's client; `renew` gets it a new access token when the one it is given counts no more."""

    renew: Callable[[str], Awaitable[None]] | None = None


class TooLarge(Exception):
    """A file has more bytes than it may have."""


@dataclass(frozen=True)
class Answer:
    """What came back: HTTP status, JSON object (empty when it was none), seconds to wait if asked."""

    status: int
    body: Json
    retry_after: float | None = None

    @property
    def code(self) -> str:
        """Matrix's errcode, or an empty text."""
        return str(self.body.get("errcode", ""))

    @property
    def asks_for_login(self) -> bool:
        """Whether the device may log in again and go on (client-server API, "Soft logout")."""
        return self.code == "M_UNKNOWN_TOKEN" and self.body.get("soft_logout") is True


def path(*parts: str, query: Mapping[str, str] | None = None, version: str = "v3") -> str:
    """A path below /_matrix/client and its version, with every part quoted."""
    tail = "/".join(quote(part, safe="") for part in parts)
    return f"/_matrix/client/{version}/{tail}" + (f"?{urlencode(query)}" if query else "")


async def exchange(
    client: AsyncClient,
    method: str,
    where: str,
    body: Json | bytes | None = None,
    *,
    patience: float = 60.0,
    media_type: str = "application/octet-stream",
) -> Answer:
    """Make one request and return any answer; TryLater when none came within `patience` seconds.

    `media_type` is what bytes are. Where the homeserver asks for a new login, it gets one, and the request
    is made again.
    """
    token = client.access_token
    answer = await _attempt(client, method, where, body, patience, media_type)
    if await _renewed(client, token, answer):
        answer = await _attempt(client, method, where, body, patience, media_type)
    return answer


async def _renewed(client: AsyncClient, token: str, answer: Answer) -> bool:
    if not answer.asks_for_login or not isinstance(client, Client) or client.renew is None:
        return False
    await client.renew(token)
    return True


async def _attempt(
    client: AsyncClient, method: str, where: str, body: Json | bytes | None, patience: float, media_type: str
) -> Answer:
    raw = isinstance(body, bytes)
    headers = {"Content-Type": media_type if raw else "application/json"}
    if client.access_token:
        headers["Authorization"] = f"Bearer {client.access_token}"
    data = body if raw or body is None else json.dumps(body)
    try:
        response = await client.send(method, where, data, headers, timeout=patience)
        text = await response.read()
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise TryLater(UNREACHABLE) from error
    found = _parsed(text)
    return Answer(response.status, found, _pause(response.headers.get("Retry-After"), found))


async def request(
    client: AsyncClient,
    method: str,
    where: str,
    body: Json | bytes | None = None,
    *,
    patience: float = 60.0,
    media_type: str = "application/octet-stream",
) -> Json:
    """Make one request and return its JSON object.

    Raises SessionGone, TryLater (429, 5xx, no answer, words of a proxy) or Rejected (any other refusal).
    """
    answer = await exchange(client, method, where, body, patience=patience, media_type=media_type)
    raise_for(answer)
    return answer.body


async def fetch(client: AsyncClient, where: str, *, largest: int, patience: float = 60.0) -> bytes:
    """Return a file that the homeserver holds, of at most `largest` bytes.

    Raises TooLarge, and what `request` does.
    """
    token = client.access_token
    headers = {"Authorization": f"Bearer {token}"}
    try:
        response = await client.send("GET", where, None, headers, timeout=patience)
        async with response:
            content = bytearray()
            async for piece in response.content.iter_chunked(_PIECE):
                content += piece
                if len(content) > largest:
                    raise TooLarge
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise TryLater(UNREACHABLE) from error
    if response.status != HTTPStatus.OK:
        found = _parsed(bytes(content))
        answer = Answer(response.status, found, _pause(response.headers.get("Retry-After"), found))
        if await _renewed(client, token, answer):
            raise TryLater(UNREACHABLE, 0.0)
        raise_for(answer)
        raise TryLater(f"Something else answers for the homeserver (HTTP {response.status}).")
    return bytes(content)


def raise_for(answer: Answer) -> None:
    """Turn an answer that is no success into the error it means."""
    if answer.code in ("M_UNKNOWN_TOKEN", "M_MISSING_TOKEN", "M_USER_DEACTIVATED"):
        raise SessionGone(SIGNED_OUT)
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        raise TooFast("The homeserver asks for a pause.", answer.retry_after)
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise TryLater(f"The homeserver has trouble of its own (HTTP {answer.status}).", answer.retry_after)
    if answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        # A proxy may say so in place of the homeserver, and will not change its mind.
        raise Rejected(REJECTIONS["M_TOO_LARGE"], "M_TOO_LARGE")
    if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        if not answer.code:
            raise TryLater(f"Something else answers for the homeserver (HTTP {answer.status}).")
        sentence = REJECTIONS.get(answer.code) or f"The homeserver refuses it (HTTP {answer.status})."
        raise Rejected(sentence, answer.code)


def _parsed(text: bytes) -> Json:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _pause(header: str | None, body: Json) -> float | None:
    """Seconds to wait: the longer one of the header (RFC 9110, 10.2.3) and retry_after_ms."""
    asked = [float(header)] if header and header.strip().isdecimal() else []
    milliseconds = body.get("retry_after_ms")
    if isinstance(milliseconds, int | float) and milliseconds >= 0:
        asked.append(milliseconds / 1000)
    return max(asked, default=None)
