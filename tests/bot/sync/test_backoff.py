# SPDX-License-Identifier: AGPL-3.0-or-later
"""When the homeserver misbehaves the bot waits as it should and loses nothing; sleep is not real here."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.errors import HomeserverUnreachable, LoginRefused, Rejected, SessionGone, TryLater
from bot.http.pause import Pause
from bot.http.wire import path, request
from bot.identity.session import BotAccount, Credential, open_session
from tests.bot.people import Bot, Memory, Peer, running
from tests.faults.fakehs import FakeHomeserver, Fault

ANA = "@ana:fake.test"
BOT = "@bot:fake.test"
ROOM = "!room:fake.test"


@pytest.fixture
async def server() -> AsyncIterator[FakeHomeserver]:
    async with FakeHomeserver() as running_server:
        yield running_server


@pytest.fixture
async def bot(server: FakeHomeserver, tmp_path: Path) -> AsyncIterator[Bot]:
    """A bot in an encrypted room with Ana, who has no device."""
    async with running(Memory(BotAccount(server.url, "bot", tmp_path / "session"))) as started:
        await server.make_room(ROOM, BOT, ANA)
        await started.syncer.step()
        yield started


def attempts(fault: Fault) -> int:
    """aiohttp itself repeats a GET or PUT once when the connection is cut."""
    return 2 if fault in (Fault.LOSE, Fault.REFUSE) else 1


async def say(server: FakeHomeserver, text: str) -> str:
    return await server.put_event(ROOM, ANA, "m.room.message", {"msgtype": "m.text", "body": text})


async def run_until(bot: Bot, bodies: list[str]) -> None:
    """Run the loop until these have been heard."""
    task = asyncio.create_task(bot.syncer.run())
    async with asyncio.timeout(20):
        await bot.journal.hears(bodies)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("fault", [Fault.ERROR, Fault.BAD_GATEWAY, Fault.REFUSE, Fault.LOSE])
async def test_pauses_grow_to_a_minute_while_syncing_fails(
    server: FakeHomeserver, bot: Bot, fault: Fault
) -> None:
    server.script(fault, "GET", "/sync$", times=8 * attempts(fault))
    await say(server, "after the trouble")
    await run_until(bot, ["after the trouble"])
    assert bot.slept == [1, 2, 4, 8, 16, 32, 60, 60]


async def test_pauses_begin_small_again_after_a_good_sync(server: FakeHomeserver, bot: Bot) -> None:
    server.script(Fault.ERROR, "GET", "/sync$", times=3)
    server.script(Fault.ERROR, "GET", "/sync$", times=2, skip=1)
    await say(server, "one")
    task = asyncio.create_task(bot.syncer.run())
    async with asyncio.timeout(20):
        await bot.journal.hears(["one"])
        await say(server, "two")
        await bot.journal.hears(["one", "two"])
    task.cancel()
    assert bot.slept == [1, 2, 4, 1, 2]


@pytest.mark.parametrize(
    ("header", "milliseconds", "pause"), [(7, None, 7), (None, 9000, 9), (3, 11_000, 11), (None, None, 1)]
)
async def test_a_429_is_obeyed_in_header_and_body(
    server: FakeHomeserver, bot: Bot, header: int | None, milliseconds: int | None, pause: float
) -> None:
    server.script(Fault.TOO_MANY, "GET", "/sync$", retry_after=header, retry_after_ms=milliseconds)
    await say(server, "later")
    await run_until(bot, ["later"])
    assert bot.slept == [pause]


async def test_a_hanging_homeserver_is_given_up_in_time(server: FakeHomeserver, bot: Bot) -> None:
    server.script(Fault.HANG, "GET", "/joined_rooms$")
    with pytest.raises(TryLater):
        await request(bot.client, "GET", path("joined_rooms"), patience=0.2)


async def test_an_unknown_token_stops_the_loop_with_a_sentence(server: FakeHomeserver, bot: Bot) -> None:
    server.script(Fault.SIGNED_OUT, "GET", "/sync$")
    with pytest.raises(SessionGone, match="signed out"):
        await bot.syncer.run()
    assert server.counted("GET", "/sync$") == 2
    assert bot.slept == []


async def test_jitter_stretches_pauses_but_never_beyond_a_minute() -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    pause = Pause(jitter=lambda: 0.5, sleep=sleep)
    for _ in range(7):
        await pause.wait()
    assert slept == [1.25, 2.5, 5, 10, 20, 40, 60]


async def test_a_failing_keep_gets_the_same_batch_until_it_succeeds(server: FakeHomeserver, bot: Bot) -> None:
    bot.journal.failures = [OSError("disk full"), ValueError("locked")]
    synced = server.counted("GET", "/sync$")
    await say(server, "kept at last")
    await bot.syncer.step()
    assert bot.journal.bodies == ["kept at last"]
    assert server.counted("GET", "/sync$") == synced + 1
    assert bot.slept == [1, 2]


async def test_a_cancelled_keep_leaves_the_old_token(server: FakeHomeserver, bot: Bot) -> None:
    before = bot.syncer.token
    bot.journal.failures = [asyncio.CancelledError()]
    await say(server, "comes again")
    with pytest.raises(asyncio.CancelledError):
        await bot.syncer.step()
    assert bot.syncer.token == before
    await bot.syncer.step()
    assert bot.journal.bodies == ["comes again"]


async def test_a_gap_is_paged_back_in_order_and_through_faults(server: FakeHomeserver, bot: Bot) -> None:
    said = [f"line {number}" for number in range(260)]
    for line in said:
        await say(server, line)
    server.script(Fault.ERROR, "GET", "/messages$", times=2)
    await bot.syncer.step()
    assert bot.journal.bodies == said
    assert server.counted("GET", "/messages$") > 3


async def test_what_the_bot_heard_before_is_not_paged_back(server: FakeHomeserver, bot: Bot) -> None:
    await say(server, "old")
    await bot.syncer.step()
    bot.journal.heard.clear()
    for number in range(60):
        await say(server, f"new {number}")
    await bot.syncer.step()
    assert bot.journal.bodies == [f"new {number}" for number in range(60)]


NOTE = {"msgtype": "m.notice", "body": "note", "m.mentions": {}}


@pytest.mark.parametrize("fault", [Fault.LOSE, Fault.ERROR, Fault.REFUSE, Fault.TOO_MANY])
async def test_a_send_tried_again_makes_one_event(server: FakeHomeserver, bot: Bot, fault: Fault) -> None:
    server.script(fault, "PUT", "/send/", times=attempts(fault), retry_after=4)
    with pytest.raises(TryLater) as caught:
        await bot.sender.send_event(ROOM, NOTE, "ref-1")
    assert caught.value.after == (4 if fault in (Fault.TOO_MANY, Fault.ERROR) else None)
    again = await bot.sender.send_event(ROOM, NOTE, "ref-1")
    assert [event["event_id"] for event in server.sent(ROOM)] == [again]


async def test_with_a_fresh_transaction_id_per_try_the_event_doubles(
    server: FakeHomeserver, bot: Bot
) -> None:
    server.script(Fault.LOSE, "PUT", "/send/", times=attempts(Fault.LOSE))
    with pytest.raises(TryLater):
        await bot.sender.send_event(ROOM, NOTE, "ref-1")
    await bot.sender.send_event(ROOM, NOTE, "ref-2")
    assert len(server.sent(ROOM)) == 2, "this is what the fixed id is for"


async def test_a_forbidden_send_is_rejected_for_good(server: FakeHomeserver, bot: Bot) -> None:
    server.script(Fault.FORBIDDEN, "PUT", "/send/")
    with pytest.raises(Rejected, match="lacks the right"):
        await bot.sender.send_event(ROOM, NOTE, "ref-1")


async def test_a_signed_out_bot_cannot_send(server: FakeHomeserver, bot: Bot) -> None:
    server.script(Fault.SIGNED_OUT, "PUT", "/send/")
    with pytest.raises(SessionGone):
        await bot.sender.send_event(ROOM, NOTE, "ref-1")


async def test_a_wrong_address_is_told_in_a_sentence(tmp_path: Path) -> None:
    account = BotAccount("http://127.0.0.1:1", "bot", tmp_path / "session")
    with pytest.raises(HomeserverUnreachable, match="address in the config"):
        await open_session(account, Credential(password="x"))


async def test_a_refused_login_is_told_in_a_sentence(server: FakeHomeserver, tmp_path: Path) -> None:
    server.script(Fault.FORBIDDEN, "POST", "/login$")
    account = BotAccount(server.url, "bot", tmp_path / "session")
    with pytest.raises(LoginRefused, match="password"):
        await open_session(account, Credential(password="x"))
    assert not (account.folder / "session.json").exists()


async def test_a_room_key_that_did_not_arrive_is_sent_again_before_anything_is_said(
    server: FakeHomeserver, bot: Bot, tmp_path: Path
) -> None:
    ana = Peer(server.url, ANA, tmp_path / "ana")
    try:
        await ana.begin()
        await bot.syncer.step()
        server.script(Fault.ERROR, "PUT", "/sendToDevice/")
        with pytest.raises(TryLater):
            await bot.sender.send_event(ROOM, NOTE, "ref-1")
        assert server.sent(ROOM) == []
        said = await bot.sender.send_event(ROOM, NOTE, "ref-1")
        await ana.see(said)
        assert ana.could_read(said)
    finally:
        await ana.end()
