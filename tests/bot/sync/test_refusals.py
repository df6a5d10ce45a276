# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the homeserver, or something before it, refuses stops neither the bot nor a room."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from shutil import copytree

import pytest

from bot.carriers.senders import _message
from bot.errors import Rejected, TryLater
from bot.http.wire import Answer, raise_for
from bot.identity.session import BotAccount
from bot.sending import contents
from desk.outbox.posts import Say
from tests.bot.people import Memory, running
from tests.faults.fakehs import FakeHomeserver

BOT = "@bot:fake.test"


@pytest.fixture
async def server() -> AsyncIterator[FakeHomeserver]:
    async with FakeHomeserver() as running_server:
        yield running_server


def use_up_keys(server: FakeHomeserver, *, left: int) -> None:
    """Let others claim all one-time keys but a few, the oldest of them."""
    for kept in server.keys.one_time_keys.values():
        for name in list(kept)[left:]:
            del kept[name]


async def test_keys_whose_upload_was_cut_by_a_kill_do_not_keep_the_bot_from_starting(
    server: FakeHomeserver, tmp_path: Path
) -> None:
    folder = tmp_path / "session"
    async with running(Memory(BotAccount(server.url, "bot", folder))) as bot:
        await bot.syncer.step()
        copytree(folder, tmp_path / "before")
        use_up_keys(server, left=0)
        await bot.syncer.step()
        assert server.keys.count((BOT, bot.client.device_id)) > 0
    # The store as it was before the upload: it makes the same key ids again, with other values.
    async with running(Memory(BotAccount(server.url, "bot", tmp_path / "before"))) as bot:
        use_up_keys(server, left=10)
        await bot.syncer.step()
        await bot.syncer.step()
        assert server.keys.count((BOT, bot.client.device_id)) >= bot.client.olm.account.max_one_time_keys


async def test_one_time_keys_are_on_disk_before_they_are_offered(
    server: FakeHomeserver, tmp_path: Path
) -> None:
    async with running(Memory(BotAccount(server.url, "bot", tmp_path / "session"))) as bot:
        await bot.syncer.step()
        saved: list[int] = []
        save = bot.client.olm.save_account

        def note(*args: object) -> None:
            saved.append(server.counted("POST", "/keys/upload$"))
            save(*args)

        bot.client.olm.save_account = note
        use_up_keys(server, left=0)
        uploads = server.counted("POST", "/keys/upload$")
        await bot.syncer.step()
        assert saved[0] == uploads < server.counted("POST", "/keys/upload$")


@pytest.mark.parametrize(
    "say", [Say("Look.", quote="😀" * 2500), Say("😀" * 9000), Say("x", quote="&" * 60_000)]
)
def test_what_is_too_large_is_cut_until_it_fits(say: Say) -> None:
    content = _message(say)
    assert contents.fits(content)
    assert len(content["body"]) > 100


@pytest.mark.parametrize("status", [401, 403, 404, 502])
def test_a_refusal_without_matrix_code_comes_from_a_proxy_and_may_pass(status: int) -> None:
    with pytest.raises(TryLater):
        raise_for(Answer(status, {}))


def test_too_large_is_a_refusal_whoever_says_it() -> None:
    with pytest.raises(Rejected, match="larger"):
        raise_for(Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {}))
