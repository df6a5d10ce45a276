# SPDX-License-Identifier: AGPL-3.0-or-later
"""A bot and people, each with an account of their own on the one Synapse."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from bot.identity.session import BotAccount
from bot.rooms.rooms import RoomPlan
from tests.bot.people import PASSWORD, Bot, Memory, Peer, running
from tests.services.synapse import Homeserver

numbers = itertools.count(1)

Enter = Callable[..., Awaitable[Peer]]
Gather = Callable[..., Awaitable[str]]


@pytest.fixture
def memory(synapse: Homeserver, tmp_path: Path) -> Memory:
    """A fresh account for the bot and an empty folder."""
    name = f"bot{next(numbers)}"
    synapse.register(name, PASSWORD)
    return Memory(BotAccount(synapse.url, name, tmp_path / "session"))


@pytest.fixture
async def bot(memory: Memory) -> AsyncIterator[Bot]:
    """A bot that has made its first sync."""
    async with running(memory) as started:
        await started.syncer.step()
        yield started


@pytest.fixture
async def enter(synapse: Homeserver, tmp_path: Path) -> AsyncIterator[Enter]:
    """Make a person with a client: `await enter("ana")`."""
    present: list[Peer] = []

    async def make(name: str, *, signed: bool = True, user_id: str | None = None) -> Peer:
        number = next(numbers)
        who = user_id or synapse.register(f"{name}{number}", PASSWORD)
        peer = Peer(synapse.url, who, tmp_path / f"{name}{number}")
        present.append(peer)
        await peer.begin(signed=signed)
        return peer

    yield make
    for peer in present:
        await peer.end()


@pytest.fixture
def gather() -> Gather:
    """Put the bot and people into one new room: `await gather(bot, ana)`."""

    async def make(bot: Bot, *people: Peer, version: str = "11") -> str:
        plan = RoomPlan(
            f"ref{next(numbers)}",
            "room",
            invite=tuple(dict.fromkeys(one.client.user_id for one in people)),
            version=version,
        )
        room_id = await bot.rooms.create_room(plan)
        for one in people:
            await one.join(room_id)
        await bot.meet(room_id)
        for one in people:
            await one.look()
        return room_id

    return make
