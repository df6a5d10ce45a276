# SPDX-License-Identifier: AGPL-3.0-or-later
"""The bot logs in once, keeps its device for ever and its secrets to itself."""

import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from bot.errors import LoginRefused, SessionGone, StoreInUse
from bot.session import Credential, open_session
from bot.wire import path, request
from tests.bot.people import PASSWORD, Memory, running

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
