# SPDX-License-Identifier: AGPL-3.0-or-later
"""The bot's device is signed by the account's own identity, made once and never replaced."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import ForeignIdentity, MatrixError
from bot.http.wire import path, request
from bot.identity import signing
from bot.identity.crosssigning import ROLES, SEEDS, DeviceSigning, ensure_signed
from bot.identity.session import Credential, open_session
from tests.bot.people import PASSWORD, Memory, running


async def test_the_first_start_makes_an_identity_and_the_second_finds_it(memory: Memory) -> None:
    async with running(memory) as bot:
        first = bot.identity
    async with running(memory) as bot:
        second = bot.identity
        shown = await request(
            bot.client, "POST", path("keys", "query"), {"device_keys": {bot.session.user_id: []}}
        )
    user_id = bot.session.user_id
    assert (first.standing, second.standing) == (DeviceSigning.IDENTITY_MADE, DeviceSigning.ALREADY_SIGNED)
    assert first.master_key == second.master_key
    signer = signing.only_key(shown["self_signing_keys"][user_id])
    assert signer is not None
    assert signing.is_signed(shown["self_signing_keys"][user_id], user_id, first.master_key)
    assert signing.is_signed(shown["device_keys"][user_id][bot.session.device_id], user_id, signer)


async def test_a_crash_after_writing_the_seeds_is_mended_at_the_next_start(memory: Memory) -> None:
    session = await open_session(memory.account, Credential(password=PASSWORD))
    try:
        folder = memory.account.folder
        made = await ensure_signed(session.client, folder, PASSWORD)
        seeds = (folder / SEEDS).read_text()
        again = await ensure_signed(session.client, folder, PASSWORD)
        assert again.master_key == made.master_key
        assert (folder / SEEDS).read_text() == seeds
    finally:
        await session.close()


async def test_a_new_device_with_the_old_seeds_is_signed_too(memory: Memory) -> None:
    async with running(memory) as bot:
        first = bot.identity
    folder = memory.account.folder
    (folder / "session.json").unlink()
    async with running(memory) as bot:
        assert bot.identity.standing is DeviceSigning.DEVICE_SIGNED
        assert bot.identity.master_key == first.master_key


async def test_an_identity_of_somebody_else_is_refused_and_kept(memory: Memory) -> None:
    async with running(memory) as bot:
        first = bot.identity
    seeds = memory.account.folder / SEEDS
    ours = seeds.read_text()
    seeds.unlink()
    with pytest.raises(ForeignIdentity, match="not replaced"):
        async with running(memory):
            pass
    assert not seeds.exists()
    other = {role: signing.encode(role.encode().ljust(32)) for role in ROLES}
    seeds.write_text(json.dumps(other))
    with pytest.raises(ForeignIdentity, match="not replaced"):
        async with running(memory):
            pass
    seeds.write_text(ours)
    async with running(memory) as bot:
        assert bot.identity == type(first)(first.master_key, DeviceSigning.ALREADY_SIGNED)


async def test_damaged_seeds_are_told(memory: Memory) -> None:
    async with running(memory):
        pass
    (memory.account.folder / SEEDS).write_text("{}")
    with pytest.raises(MatrixError, match="damaged"):
        async with running(memory):
            pass


@given(
    st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=4), st.text(min_size=1)
)
def test_a_signature_covers_every_word_but_the_unsigned_parts(value: dict[str, object], extra: str) -> None:
    for part in signing.UNSIGNED_PARTS:
        value.pop(part, None)
    seed = hashlib.sha256(b"seed").digest()
    key = signing.public_key(seed)
    signed = signing.signed(value, "@a:b", seed)
    assert signing.is_signed({**signed, "unsigned": {"age": 1}}, "@a:b", key)
    assert not signing.is_signed({**signed, f"new {extra}": 1}, "@a:b", key)
    assert not signing.is_signed(signed, "@other:b", key)
    assert not signing.is_signed(value, "@a:b", key)
    assert not signing.is_signed(signed, "@a:b", signing.public_key(hashlib.sha256(b"other").digest()))


@pytest.mark.parametrize(
    "odd", [None, [], {"keys": []}, {"keys": {}}, {"keys": {"ed25519:a": "b"}}, {"keys": {"a": 1, "b": 2}}]
)
def test_an_odd_cross_signing_object_has_no_key(odd: object) -> None:
    assert signing.only_key(odd) is None  # type: ignore[arg-type]
