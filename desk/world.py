# SPDX-License-Identifier: AGPL-3.0-or-later
"""Time and chance as values, and the one exception whose text is for a person."""

import datetime as dt
import os
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class World:
    """Where time and chance come from; made once in `helproom`, replaced in tests."""

    now: Callable[[], dt.datetime]
    """An aware time in UTC."""
    token: Callable[[], str]
    """At least 128 random bits in lower-case letters and digits, different at each call."""


class Refusal(Exception):
    """Something a person asked for and cannot have; the text is a sentence for that person."""

    exit_code = os.EX_DATAERR
