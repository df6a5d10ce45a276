# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is handed to a carrier, and what may come of it."""

import datetime as dt
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class OutboxItem:
    """An outbox row as its sender gets it, outside any unit."""

    id: int
    ref: str
    """The transaction id."""
    kind: str
    payload: str
    room: int | None
    ticket: int | None
    message: int | None
    tries: int
    age: dt.timedelta


@dataclass(frozen=True)
class Delivered:
    """It left; `event_id` is the Matrix event that came of it."""

    event_id: str | None = None


@dataclass(frozen=True)
class Later:
    """It could not leave now; `after` is the pause the other side asked for."""

    why: str
    after: dt.timedelta | None = None


@dataclass(frozen=True)
class Limited:
    """Nothing that the bot says is taken for some seconds; the row is no worse for it."""

    after: float | None = None


@dataclass(frozen=True)
class Impossible:
    """It will never leave as it is; `why` is a sentence for people."""

    why: str


@dataclass(frozen=True)
class Refused:
    """The other side refuses it as things stand, and a person may have to mend that; others need not wait."""

    why: str


@dataclass(frozen=True)
class Failed:
    """Our own code has failed on it; so it may the next time, or not."""

    why: str


@dataclass(frozen=True)
class Deferred:
    """It waits for something that may be long in coming; others need not wait with it."""

    why: str


@dataclass(frozen=True)
class Unclear:
    """Nobody knows whether it left; trying again might double it."""

    why: str


@dataclass(frozen=True)
class Overtaken:
    """The user wrote again before the answer had left; it is held again."""


Outcome = Delivered | Later | Limited | Impossible | Refused | Failed | Deferred | Unclear | Overtaken
Sender = Callable[[OutboxItem], Awaitable[Outcome]]


class StopDelivery(Exception):
    """Delivering cannot go on at all (the access token is gone, for one); stops the process."""

    exit_code = os.EX_CONFIG
