# SPDX-License-Identifier: AGPL-3.0-or-later
"""`helproom keys export`, `check` and `expire`: the queues' own keys."""

import argparse
import asyncio
import os
import re

from desk.keys.standing import spaced
from desk.world import Refusal
from helproom.checks.findings import CheckState
from helproom.checks.openpgp import check_openpgp
from helproom.cli.keys import settings_of
from helproom.cli.terminal import say
from helproom.config import for_desk
from helproom.config.settings import Settings

_PERIOD = re.compile(r"([1-9][0-9]{0,3})([dwmy])")
_DAYS = {"d": 1, "w": 7, "m": 30, "y": 365}
"""As GnuPG counts them."""
_MOST_YEARS = 20
_FINGERPRINT = re.compile(r"[0-9A-F]{40}")


def export_key(asked: argparse.Namespace) -> int:
    """Write the public key of one queue, or of all, to standard output, to be published."""
    settings = settings_of(asked)
    if asked.queue is None:
        wanted = [queue.fingerprint for queue in settings.queues]
    else:
        wanted = [for_desk.desk_config(settings).queue(asked.queue).fingerprint]
    keyring = settings.mail.open_keyring()
    try:
        for fingerprint in dict.fromkeys(wanted):
            say(keyring.export_public_key(fingerprint).decode("ascii").rstrip())
    finally:
        keyring.close()
    return os.EX_OK


def check_keys(asked: argparse.Namespace) -> int:
    """Try every queue's key; 0 when all can be used (warnings allowed), 69 otherwise."""
    return os.EX_UNAVAILABLE if asyncio.run(_check(settings_of(asked))) else os.EX_OK


async def _check(settings: Settings) -> bool:
    is_broken = False
    async for finding in check_openpgp(settings):
        say(f"{finding.state.value:<8} {finding.part}: {finding.sentence}")
        is_broken = is_broken or finding.state is CheckState.PROBLEM
    return is_broken


def extend_key(asked: argparse.Namespace) -> int:
    """Let a queue's key, with its subkeys, live for a period from now on."""
    _refuse_period(asked.period)
    settings = settings_of(asked)
    keyring = settings.mail.open_keyring()
    try:
        key = keyring.extend(_fingerprint_of(settings, asked.key), asked.period)
    finally:
        keyring.close()
    end = key.works_until.date().isoformat() if key.works_until else "for ever"
    say(f"{spaced(key.fingerprint)} is valid until {end}.")
    say("Publish it again (`helproom keys export`): until then, mail programs know only the old date.")
    return os.EX_OK


def _refuse_period(period: str) -> None:
    found = _PERIOD.fullmatch(period)
    if found is None:
        raise Refusal("Say for how long from now on as 2y, 18m, 26w or 90d (years, months, weeks, days).")
    # A time in OpenPGP has 32 bits: GnuPG takes 100y, and the key ends today.
    if int(found[1]) * _DAYS[found[2]] > _MOST_YEARS * _DAYS["y"]:
        raise Refusal(f"A key can live for {_MOST_YEARS} years from now on, and no longer.")


def _fingerprint_of(settings: Settings, key: str) -> str:
    """Read a queue's name or a fingerprint."""
    fingerprint = "".join(key.upper().split())
    if _FINGERPRINT.fullmatch(fingerprint):
        return fingerprint
    return for_desk.desk_config(settings).queue(key).fingerprint
