# SPDX-License-Identifier: AGPL-3.0-or-later
"""How long agents wait: command to reply, and mail to announcement, against bare clients and bare gpg."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from nio import RoomCreateResponse

from benchmarks.figures import Figure, median_ratio, percentile
from benchmarks.post import Post, encrypted_mail, words
from benchmarks.program import AS_MANY_AS_COME
from bot.testing.person import Person, Seen
from tests.services.synapse import Homeserver, lay_site
from tests.worlds.matrix import PASSWORD, SUPPORT, MatrixDesk, Plan, running_desk

COMMANDS = 60
MAILS = 24
WARM_UP = 3
MEDIAN_TARGET = 1.35
P95_TARGET = 2.0
ANNOUNCEMENT_TARGET = 1.5


def measure(folder: Path) -> Iterator[Figure]:
    """Measure on a Synapse, with a desk and its agents in this process."""
    with Homeserver(lay_site(folder / "synapse")) as homeserver:
        yield from asyncio.run(_measure(folder, homeserver))


async def _measure(folder: Path, homeserver: Homeserver) -> list[Figure]:
    home = folder / "desk"
    home.mkdir()
    async with (
        running_desk(Plan(home, homeserver, names=("ana", "bob"), mail=AS_MANY_AS_COME)) as desk,
        _third(folder, homeserver) as cyd,
    ):
        talk = Talk(desk, Ear(desk.agents[0]), Ear(desk.agents[1]))
        room = await _raw_room(desk.agents[0], [desk.agents[1], cyd])
        await desk.deliver(b"From: u@user.example\r\nSubject: Hi\r\n\r\nhello\r\n")
        first = await desk.announced(1)
        waits = await _commands(talk, first.room_id, room)
        mails = await _mails(talk, home, room)
    return [*_command_figures(*waits), _announcement_figure(*mails)]


class Ear:
    """Tells at once when a person's client shows an event."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self._wanted: Callable[[Seen], bool] = lambda _: False
        self._heard: asyncio.Future[Seen] | None = None
        self._note = person._note
        person._note = self._note_and_tell  # type: ignore[method-assign]

    def _note_and_tell(self, room_id: str, event: object) -> None:
        before = len(self.person.seen)
        self._note(room_id, event)  # type: ignore[arg-type]
        for seen in self.person.seen[before:]:
            if self._heard is not None and not self._heard.done() and self._wanted(seen):
                self._heard.set_result(seen)

    def listen(self, wanted: Callable[[Seen], bool]) -> Awaitable[Seen]:
        """Await this for the next event that fits."""
        self._wanted = wanted
        self._heard = asyncio.get_running_loop().create_future()
        return asyncio.wait_for(self._heard, 60)


class Talk:
    """The desk and two agents who are listened to."""

    def __init__(self, desk: MatrixDesk, ana: Ear, bob: Ear) -> None:
        self.desk = desk
        self.ana = ana
        self.bob = bob
        self.bot = desk.running.session.user_id

    async def ask(self, room: str) -> tuple[float, str]:
        """Give a command; return the milliseconds to the reply, and the reply."""
        start = time.perf_counter()
        reply = self.ana.listen(lambda seen: seen.room_id == room and seen.sender == self.bot)
        await self.ana.person.say(room, "!list")
        body = (await reply).body
        return _since(start), body

    async def exchange(self, room: str, answer: str) -> float:
        """Say the same to another client that answers the same, at once."""
        start = time.perf_counter()
        asked = self.bob.listen(lambda seen: seen.room_id == room and seen.sender == self.ana.person.user_id)
        reply = self.ana.listen(lambda seen: seen.room_id == room and seen.sender == self.bob.person.user_id)
        await self.ana.person.say(room, "!list")
        await asked
        await self.bob.person.say(room, answer)
        await reply
        return _since(start)

    async def announce(self, raw: bytes) -> float:
        """Deliver a mail; return the milliseconds from its 250 to its announcement."""
        shown = asyncio.ensure_future(
            self.ana.listen(lambda seen: seen.sender == self.bot and not seen.thread and not seen.replaces)
        )
        await self.desk.deliver(raw)
        start = time.perf_counter()
        await shown
        return _since(start)

    async def tell(self, room: str) -> float:
        """Say something; return the milliseconds until another client shows it."""
        start = time.perf_counter()
        heard = self.ana.listen(lambda seen: seen.room_id == room and seen.sender == self.bob.person.user_id)
        await self.bob.person.say(room, "#1 · en · Tails 6.9 · bug report · encrypted · new")
        await heard
        return _since(start)


async def _commands(talk: Talk, room: str, raw_room: str) -> tuple[list[float], list[float]]:
    ours, floor = [], []
    for _ in range(WARM_UP + COMMANDS):
        took, answer = await talk.ask(room)
        ours.append(took)
        floor.append(await talk.exchange(raw_room, answer))
    return ours[WARM_UP:], floor[WARM_UP:]


async def _mails(talk: Talk, home: Path, raw_room: str) -> tuple[list[float], list[float]]:
    running = talk.desk.running
    post = Post(home, home / "gnupg", running.desk.keyring, running.desk.place.config.queue("en").fingerprint)
    armor, file = post.encrypt(words(5000)), home / "bare.asc"
    file.write_bytes(armor)
    ours, floor = [], []
    for number in range(WARM_UP + MAILS):
        start = time.perf_counter()
        await asyncio.to_thread(post.open_bare, file)
        floor.append(_since(start) + await talk.tell(raw_room))
        ours.append(await talk.announce(encrypted_mail(number, armor, SUPPORT)))
        await asyncio.sleep(0.3)
    return ours[WARM_UP:], floor[WARM_UP:]


def _since(start: float) -> float:
    return (time.perf_counter() - start) * 1000


def _command_figures(ours: Sequence[float], floor: Sequence[float]) -> Iterator[Figure]:
    middle = statistics.median(ours), statistics.median(floor)
    late = percentile(ours, 0.95), percentile(floor, 0.95)
    name = "command to reply / the same two messages between bare clients"
    yield Figure(f"{name}, median", middle[0] / middle[1], MEDIAN_TARGET, *middle, "ms", len(ours))
    yield Figure(f"{name}, p95", late[0] / late[1], P95_TARGET, *late, "ms", len(ours))


def _announcement_figure(ours: Sequence[float], floor: Sequence[float]) -> Figure:
    return Figure(
        "250 at LMTP to announcement seen / bare gpg and one raw message, median",
        median_ratio(ours, floor),
        ANNOUNCEMENT_TARGET,
        statistics.median(ours),
        statistics.median(floor),
        "ms",
        len(ours),
    )


@asynccontextmanager
async def _third(folder: Path, homeserver: Homeserver) -> AsyncIterator[Person]:
    """Somebody who makes the bare clients' room as large as the desk's."""
    user_id = homeserver.register("cyd", PASSWORD)
    person = await Person.log_in(homeserver.url, user_id, PASSWORD, folder / "cyd")
    try:
        yield person
    finally:
        await person.close()


async def _raw_room(host: Person, guests: Sequence[Person]) -> str:
    """Make an encrypted room in which the bot is not."""
    encryption = {
        "type": "m.room.encryption",
        "state_key": "",
        "content": {"algorithm": "m.megolm.v1.aes-sha2"},
    }
    made = await host._client.room_create(
        initial_state=[encryption], invite=[each.user_id for each in guests]
    )
    if not isinstance(made, RoomCreateResponse):
        raise TypeError("Synapse made no room")
    for each in guests:
        while made.room_id not in await each.rooms():  # noqa: ASYNC110 - nio has no event for it
            await asyncio.sleep(0.05)
    await asyncio.sleep(2)
    return str(made.room_id)
