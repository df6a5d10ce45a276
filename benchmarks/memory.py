# SPDX-License-Identifier: AGPL-3.0-or-later
"""Resident memory of the desk's process while tickets and commands go through it."""

import asyncio
import os
import smtplib
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.post import Post, encrypted_mail, words
from benchmarks.program import Program, configured, plan, program
from bot.testing.person import Person
from helproom.config.settings import read_settings
from mail.openpgp.keyring import Keyring
from tests.services.synapse import Homeserver, lay_site
from tests.worlds.matrix import PASSPHRASE, PASSWORD, SUPPORT, Plan

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "1000"))
A_SAMPLE = max(1, ROUNDS // 20)
TARGET_MEGABYTES = 130.0
TARGET_GROWTH = 1.03


def measure(folder: Path) -> Iterator[Figure]:
    """Take in mails and give commands in turn."""
    with Homeserver(lay_site(folder / "synapse")) as homeserver:
        samples = asyncio.run(_measure(plan(folder, homeserver)))
    half, end = samples[len(samples) // 2], samples[-1]
    more: dict[str, float | str] = {"at_start": samples[0]}
    name = f"resident memory after {ROUNDS} tickets and {ROUNDS} commands"
    yield Figure(
        f"{name} / 130 MB", end / TARGET_MEGABYTES, 1.0, end, TARGET_MEGABYTES, "MB", ROUNDS, more=more
    )
    yield Figure(f"{name} / at half of them", end / half, TARGET_GROWTH, end, half, "MB", ROUNDS)


async def _measure(wanted: Plan) -> list[float]:
    async with configured(wanted) as config:
        raws = _mails(wanted)
        user_id = wanted.user_id("ana")
        ana = await Person.log_in(wanted.homeserver.url, user_id, PASSWORD, wanted.folder / "ana")
        try:
            async with program(config):
                # The first start makes tables and rooms, and carries the tools for that along.
                await asyncio.sleep(3)
            async with program(config) as running:
                return await _work(running, ana, raws, _port(config))
        finally:
            await ana.close()


def _mails(wanted: Plan) -> list[bytes]:
    """Return encrypted mails; a few ciphertexts are enough, as the desk tells mails apart by Message-ID."""
    keyring = Keyring(wanted.folder / "gnupg", passphrase=PASSPHRASE)
    post = Post(wanted.folder, wanted.folder / "gnupg", keyring, keyring.secret_keys()[0].fingerprint)
    armors = [post.encrypt(words(5000, seed)) for seed in range(20)]
    keyring.close()
    return [encrypted_mail(number, armors[number % len(armors)], SUPPORT) for number in range(ROUNDS)]


def _port(config: Path) -> int:
    lmtp = read_settings(config).mail.lmtp
    if lmtp is None:
        raise ValueError("the desk has no LMTP door")
    return lmtp.listen.port


async def _work(running: Program, ana: Person, raws: list[bytes], port: int) -> list[float]:
    samples = []
    for number, raw in enumerate(raws, 1):
        await asyncio.to_thread(_deliver, raw, port)
        announcement = await ana.wait_for(
            lambda seen: f"#{number} " in seen.body and seen.thread is None and not seen.replaces  # noqa: B023
        )
        await ana.say(announcement.room_id, "!show", thread=announcement.event_id)
        await ana.wait_for(
            lambda seen: seen.thread == announcement.event_id and "Ticket" not in seen.body[:6]  # noqa: B023
        )
        ana.seen.clear()
        if number % A_SAMPLE == 0:
            samples.append(running.resident)
    return samples


def _deliver(raw: bytes, port: int) -> None:
    with smtplib.LMTP("127.0.0.1", port) as door:
        door.sendmail("user@user.example", [SUPPORT], raw)
