# SPDX-License-Identifier: AGPL-3.0-or-later
"""A raw LMTP client, and a shelf that keeps what a door takes or breaks as told."""

import asyncio
from dataclasses import dataclass, field

from mail.addresses import queues_by_address
from storage.queries.letters import IncomingMail

QUEUES = queues_by_address({"help-en@desk.example": "en", "Help-FR@desk.example": "fr"})


@dataclass
class Shelf:
    """Keeps letters, or breaks as told."""

    kept: list[IncomingMail] = field(default_factory=list)
    fault: BaseException | None = None
    fault_for: str = "en"
    began: asyncio.Event = field(default_factory=asyncio.Event)
    may_end: asyncio.Event | None = None

    async def keep(self, arrival: IncomingMail) -> None:
        self.began.set()
        if self.may_end:
            await self.may_end.wait()
        if self.fault and arrival.queue == self.fault_for:
            raise self.fault
        self.kept.append(arrival)


class Dialogue:
    """A raw LMTP client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def hear(self) -> str:
        line = b""
        while line[3:4] in (b"", b"-"):
            line = await asyncio.wait_for(self.reader.readline(), 20)
            if not line:
                raise EOFError
        return line.decode().strip()

    async def say(self, *lines: str) -> list[str]:
        for line in lines:
            self.writer.write(line.encode("utf-8", "surrogateescape") + b"\r\n")
        return [await self.hear() for _ in lines]

    async def send(self, data: bytes, answers: int = 1) -> list[str]:
        self.writer.write(data)
        return [await self.hear() for _ in range(answers)]


async def begin(dialogue: Dialogue, *recipients: str, sender: str = "a@user.example") -> None:
    lines = [f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{one}>" for one in recipients), "DATA"]
    codes = [answer[:3] for answer in await dialogue.say(*lines)]
    assert codes == ["250", *["250" for _ in recipients], "354"]
