# SPDX-License-Identifier: AGPL-3.0-or-later
"""How long a mailbox is left alone that makes trouble, and which letters it does not give."""

import asyncio
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from desk.monitoring.mail_arrivals import MailboxHealth
from desk.world import World
from mail.inbound.envelope import Addressing
from mail.inbound.fetcher import Fetcher, FetcherParts
from mail.inbound.mailbox import LoginRefused, MailboxTrouble, Outcome, Waiting
from mail.inbound.retrieval import read_whole
from mail.limits import LETTER_BYTES
from tests.mail.mailboxes import NOON, QUEUES, Shelf


class Troubled:
    """A mailbox that cannot be opened, or whose line breaks once it was looked into."""

    def __init__(self, trouble: MailboxTrouble) -> None:
        self.trouble: MailboxTrouble | None = trouble

    def open(self) -> None:
        if self.trouble is not None:
            raise self.trouble

    def waiting(self) -> list[Waiting]:
        return []

    def wait(self) -> None:
        raise MailboxTrouble("The line broke.")

    def hang_up(self) -> None:
        """There is no line."""

    def close(self) -> None:
        """Nothing is held."""

    def read(self, letter: Waiting) -> bytes | None:
        return None

    head = read

    def put_away(self, letter: Waiting, outcome: Outcome) -> None:
        """There is no letter."""

    def go_aside(self) -> list[Waiting]:
        return []

    def go_back(self) -> None:
        """There is one folder."""


def fetcher(mailbox: Troubled) -> Fetcher:
    shelf = Shelf()
    doing = FetcherParts(Addressing(QUEUES), shelf.keep, shelf.refuse, MailboxHealth("main"), first_pause=1.0)
    return Fetcher(mailbox, doing, World(lambda: NOON, lambda: "t"))


async def pauses(trying: Fetcher, many: int) -> list[float]:
    return [await trying._try() for _ in range(many)]


async def test_pauses_double_up_to_five_minutes_and_begin_anew_after_a_look() -> None:
    mailbox = Troubled(MailboxTrouble("away"))
    trying = fetcher(mailbox)
    found = await pauses(trying, 11)
    assert all(after == min(300.0, 2 * before) for before, after in pairwise(found))
    assert (found[0], found[-1]) == (1.0, 300.0)
    mailbox.trouble = None
    assert await pauses(trying, 2) == [1.0, 1.0]


async def test_a_login_that_is_refused_is_tried_less_often() -> None:
    assert await pauses(fetcher(Troubled(LoginRefused("no"))), 3) == [6.0, 12.0, 24.0]


async def test_a_letter_that_is_larger_than_its_mailbox_says_is_too_large() -> None:
    class Lying(Troubled):
        def read(self, letter: Waiting) -> bytes | None:
            return b"x" * (LETTER_BYTES + 1)

    async def in_thread(step: Callable[[], Any]) -> Any:
        return await asyncio.to_thread(step)

    lies = Lying(MailboxTrouble("x"))
    found = await read_whole(lies, Waiting("1/1", 5), Addressing(QUEUES), in_thread)
    assert found == "it has 25.0 MB, and 25 MB are the limit"


@pytest.mark.parametrize("raw", [b"", b"\r\n \r\n"])
async def test_a_letter_of_nothing_is_empty(raw: bytes) -> None:
    class Empty(Troubled):
        def read(self, letter: Waiting) -> bytes | None:
            return raw

    async def in_thread(step: Callable[[], Any]) -> Any:
        return step()

    empty = Empty(MailboxTrouble("x"))
    assert await read_whole(empty, Waiting("1/1", 5), Addressing(QUEUES), in_thread) == "it is empty"
