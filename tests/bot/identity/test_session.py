# SPDX-License-Identifier: AGPL-3.0-or-later
"""The bot logs in once, keeps its device for ever and its secrets to itself."""

import asyncio
import contextlib
import json
import os
import sqlite3
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from bot.errors import LoginRefused, SessionGone, StoreInUse
from bot.http.wire import path, request
from bot.identity.session import Credential, Session, open_session
from bot.sending import contents
from bot.sending.rendering import plain
from helproom.cli.exit_codes import explain
from tests.bot.conftest import Enter, Gather, numbers
from tests.bot.people import PASSWORD, Memory, running
from tests.services.synapse import Homeserver

NOBODY = Credential()


def modes(folder: Path) -> dict[str, str]:
    """Every file and folder below, with its mode as octal digits."""
    return {
        str(entry.relative_to(folder.parent)): f"{stat.S_IMODE(entry.stat().st_mode):o}"
        for entry in [folder, *folder.rglob("*")]
    }


async def test_everything_on_disk_is_private_even_with_a_lax_umask(memory: Memory) -> None:
    before = os.umask(0)
    try:
        async with running(memory) as bot:
            await bot.syncer.step()
    finally:
        os.umask(before)
    found = modes(memory.account.folder)
    assert found.pop("session") == "700"
    assert found.pop("session/store") == "700"
    assert set(found.values()) == {"600"}
    assert {"session/session.json", "session/pickle.key", "session/crosssigning.json"} < set(found)
    assert any(name.endswith(".db") for name in found)


async def test_a_second_start_keeps_token_and_device_and_needs_no_password(memory: Memory) -> None:
    first = await open_session(memory.account, Credential(password=PASSWORD))
    known = (await request(first.client, "GET", path("devices")))["devices"]
    await first.close()
    kept = (memory.account.folder / "session.json").read_text()
    second = await open_session(memory.account, NOBODY)
    devices = (await request(second.client, "GET", path("devices")))["devices"]
    await second.close()
    assert second.device_id == first.device_id
    assert {device["device_id"] for device in devices} == {device["device_id"] for device in known}
    assert (memory.account.folder / "session.json").read_text() == kept


async def test_the_key_store_opens_only_with_its_own_key(memory: Memory) -> None:
    async with running(memory) as bot:
        fingerprint = bot.client.olm.account.identity_keys["ed25519"]
        assert bot.client.config.pickle_key not in ("", "DEFAULT_KEY")
    async with running(memory) as bot:
        assert bot.client.olm.account.identity_keys["ed25519"] == fingerprint
    (memory.account.folder / "pickle.key").write_text("0" * 64)
    with pytest.raises(LoginRefused, match=r"pickle\.key"):
        await open_session(memory.account, NOBODY)


async def test_an_access_token_is_as_good_as_a_password(memory: Memory, tmp_path: Path) -> None:
    first = await open_session(memory.account, Credential(password=PASSWORD))
    token = first.client.access_token
    await first.close()
    elsewhere = replace(memory.account, folder=tmp_path / "elsewhere")
    second = await open_session(elsewhere, Credential(access_token=token))
    await second.close()
    assert (second.user_id, second.device_id) == (first.user_id, first.device_id)


@pytest.mark.parametrize(
    ("credential", "words"),
    [
        (Credential(password="wrong"), "password"),
        (Credential(access_token="wrong"), "access token"),
        (NOBODY, "neither"),
    ],
)
async def test_a_refused_login_is_told_and_leaves_no_session(
    memory: Memory, credential: Credential, words: str
) -> None:
    with pytest.raises(LoginRefused, match=words):
        await open_session(memory.account, credential)
    assert not (memory.account.folder / "session.json").exists()


async def test_a_device_signed_out_elsewhere_is_told_and_not_logged_in_anew(memory: Memory) -> None:
    session = await open_session(memory.account, Credential(password=PASSWORD))
    await request(session.client, "POST", path("logout"), {})
    await session.close()
    kept = (memory.account.folder / "session.json").read_text()
    with pytest.raises(SessionGone, match="signed out"):
        await open_session(memory.account, Credential(password=PASSWORD))
    assert (memory.account.folder / "session.json").read_text() == kept


async def devices_of(session: Session) -> set[str]:
    shown = await request(session.client, "GET", path("devices"))
    return {device["device_id"] for device in shown["devices"]}


def run_out(synapse: Homeserver, session: Session) -> str:
    """Give the session's device a token whose time is over, as `session_lifetime` does; return it."""
    token = f"syt_{next(numbers)}_over"
    with contextlib.closing(sqlite3.connect(synapse.site.folder / "homeserver.db")) as database, database:
        newest = database.execute("SELECT max(id) FROM access_tokens").fetchone()[0]
        database.execute(
            "INSERT INTO access_tokens (id, user_id, device_id, token, valid_until_ms)"
            " VALUES (?, ?, ?, ?, 1)",
            (newest + 1000, session.user_id, session.device_id, token),
        )
    return token


async def test_a_login_that_has_run_out_is_renewed_for_the_same_device(
    synapse: Homeserver, memory: Memory, enter: Enter, gather: Gather
) -> None:
    ana = await enter("ana")
    async with running(memory) as bot:
        await bot.syncer.step()
        room_id = await gather(bot, ana)
        device, devices = bot.session.device_id, await devices_of(bot.session)
        over = bot.client.access_token = run_out(synapse, bot.session)
        await asyncio.gather(
            bot.syncer.step(), *(request(bot.client, "GET", path("account", "whoami")) for _ in range(3))
        )
        assert bot.client.access_token != over
        file = memory.account.folder / "session.json"
        kept = json.loads(file.read_text())
        assert (kept["access_token"], kept["device_id"]) == (bot.client.access_token, device)
        assert await devices_of(bot.session) == devices
        told = await bot.sender.send_event(room_id, contents.notice(plain("still here")), "r1")
        await ana.see(told)
        assert ana.could_read(told)
        kept["access_token"] = run_out(synapse, bot.session)
    file.write_text(json.dumps(kept))
    async with running(memory) as bot:
        assert bot.session.device_id == device
        assert json.loads(file.read_text())["access_token"] != kept["access_token"]


@pytest.mark.parametrize(
    ("credential", "words"), [(NOBODY, "only an access token"), (Credential(password="wrong"), "still right")]
)
async def test_a_login_that_cannot_be_renewed_is_told(
    synapse: Homeserver, memory: Memory, credential: Credential, words: str
) -> None:
    session = await open_session(memory.account, Credential(password=PASSWORD))
    over = run_out(synapse, session)
    await session.close()
    file = memory.account.folder / "session.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "access_token": over}))
    with pytest.raises(SessionGone, match=words):
        await open_session(memory.account, credential)


async def test_a_session_of_another_account_is_refused_and_both_are_named(
    synapse: Homeserver, memory: Memory, tmp_path: Path
) -> None:
    session = await open_session(memory.account, Credential(password=PASSWORD))
    token = session.client.access_token
    await session.close()
    whole = replace(memory.account, user=session.user_id)
    await (await open_session(whole, NOBODY)).close()
    for kept, credential in (
        (memory.account.folder, NOBODY),
        (tmp_path / "fresh", Credential(access_token=token)),
    ):
        other = replace(memory.account, user="@other:helproom.test", folder=kept)
        with pytest.raises(LoginRefused, match=f"{session.user_id}.*@other:helproom.test") as caught:
            await open_session(other, credential)
        assert explain(caught.value).code == os.EX_CONFIG
    assert not (tmp_path / "fresh" / "session.json").exists()


async def test_a_session_that_ends_leaves_no_device(memory: Memory) -> None:
    lasting = await open_session(
        replace(memory.account, folder=memory.account.folder / "other"), Credential(password=PASSWORD)
    )
    devices = await devices_of(lasting)
    session = await open_session(memory.account, Credential(password=PASSWORD))
    assert session.is_new
    await session.end()
    await session.close()
    assert await devices_of(lasting) == devices
    left = {file.name for file in memory.account.folder.rglob("*") if file.is_file()}
    assert left - {file.name for file in (memory.account.folder / "other").rglob("*")} <= {"lock"}
    await lasting.close()


async def test_two_processes_cannot_share_a_session(memory: Memory) -> None:
    session = await open_session(memory.account, Credential(password=PASSWORD))
    with pytest.raises(StoreInUse, match="stop it first"):
        await open_session(memory.account, NOBODY)
    await session.close()
    await (await open_session(memory.account, NOBODY)).close()


async def test_a_damaged_session_file_is_told(memory: Memory) -> None:
    await (await open_session(memory.account, Credential(password=PASSWORD))).close()
    (memory.account.folder / "session.json").write_text(json.dumps({"user_id": "@x:y"}))
    with pytest.raises(LoginRefused, match="damaged"):
        await open_session(memory.account, Credential(password=PASSWORD))
