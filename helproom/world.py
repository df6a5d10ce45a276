# SPDX-License-Identifier: AGPL-3.0-or-later
"""The real time and real chance: the one place that asks for them."""

import base64
import datetime as dt
import os

from desk.world import World


def real_world() -> World:
    """Return the clock of this machine and 160 random bits per token."""
    return World(
        now=lambda: dt.datetime.now(dt.UTC),  # noqa: TID251 - the one clock
        token=lambda: base64.b32encode(os.urandom(20)).decode().lower(),
    )


def real_jitter() -> float:
    """Return a random number from 0 up to 1, to keep pauses from falling into step."""
    return int.from_bytes(os.urandom(4)) / 2**32
