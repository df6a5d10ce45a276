# SPDX-License-Identifier: AGPL-3.0-or-later
"""More LMTP connections than the door lets in, and than the process has files for."""

import asyncio
import contextlib
import json
import socket
import sys

from structlog.testing import capture_logs

from mail.inbound.lmtp import LmtpDoor
from tests.mail.talking import QUEUES, Dialogue, Shelf, begin


async def test_beyond_the_most_connections_others_are_told_to_come_later() -> None:
    door = LmtpDoor(QUEUES, Shelf().keep, most_connections=2)
    await door.start()
    inside = [Dialogue(*await asyncio.open_connection("127.0.0.1", door.port)) for _ in range(2)]
    assert {(await one.hear())[:3] for one in inside} == {"220"}
    with capture_logs() as said:
        for _ in range(3):
            turned_away = Dialogue(*await asyncio.open_connection("127.0.0.1", door.port))
            assert await turned_away.hear() == "421 4.3.2 Too many connections; try again later"
            assert await turned_away.reader.read() == b""
            turned_away.writer.close()
    assert [line["event"] for line in said] == ["lmtp.full"]
    assert (await inside[0].say("QUIT"))[0].startswith("221 ")
    assert await inside[0].reader.read() == b""
    let_in = Dialogue(*await asyncio.open_connection("127.0.0.1", door.port))
    assert (await let_in.hear()).startswith("220 ")
    for one in (*inside, let_in):
        one.writer.close()
    await door.stop()


CROWDED = """
import asyncio, errno, json, os, resource, socket, structlog
from mail.inbound import listening
from mail.inbound.lmtp import LmtpDoor

listening.PAUSE_SECONDS = 0.02

async def keep(arrival): print(json.dumps({"kept": len(arrival.raw)}), flush=True)

async def main():
    structlog.configure(processors=[structlog.processors.JSONRenderer()])
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    door = LmtpDoor(lambda _: "en", keep, most_connections=1000)
    await door.start()
    print(json.dumps({"port": door.port}), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_door_without_files_left_pauses_says_it_once_and_goes_on() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CROWDED, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    port = json.loads(await process.stdout.readline())["port"]
    with contextlib.ExitStack() as crowd:
        for _ in range(100):
            crowd.enter_context(socket.create_connection(("127.0.0.1", port)))
        warned = json.loads(await process.stdout.readline())
        assert warned == {"event": "lmtp.nobody_let_in", "trouble": "EMFILE"}
        # For more tries than one.
        await asyncio.sleep(0.2)
    dialogue = Dialogue(*await asyncio.open_connection("127.0.0.1", port))
    await dialogue.hear()
    await dialogue.say("LHLO x")
    await begin(dialogue, "help-en@desk.example")
    assert (await dialogue.send(b"x\r\n.\r\n"))[0].startswith("250 ")
    assert json.loads(await process.stdout.readline()) == {"kept": 3}
    dialogue.writer.close()
    process.kill()
    await process.wait()
