# SPDX-License-Identifier: AGPL-3.0-or-later
"""The pipe door's answers, in the codes of sysexits.h."""

from io import BytesIO

import pytest
import structlog

from mail.addresses import queues_by_address
from mail.inbound.pipe import deliver
from mail.limits import LETTER_BYTES
from storage.queries.letters import IncomingMail

QUEUES = queues_by_address({"help@desk.example": "en"})


async def run(
    raw: bytes, recipient: str = "help+t@desk.example", *, fault: Exception | None = None
) -> tuple[int, list[IncomingMail]]:
    kept: list[IncomingMail] = []

    async def keep(arrival: IncomingMail) -> None:
        if fault:
            raise fault
        kept.append(arrival)

    code = await deliver(BytesIO(raw), keep, queue_of=QUEUES, recipient=recipient, mail_from="<>")
    return code, kept


async def test_a_kept_letter_is_0() -> None:
    assert await run(b"hi") == (0, [IncomingMail("en", "", "t", b"hi")])


async def test_a_fault_of_ours_is_75_and_says_nothing() -> None:
    with structlog.testing.capture_logs() as said:
        assert await run(b"hi", fault=OSError("SECRET")) == (75, [])
    assert said == [{"event": "letter not kept", "fault": "OSError", "log_level": "error"}]


@pytest.mark.parametrize("raw", [b"", b"x" * (LETTER_BYTES + 1)])
async def test_no_letter_and_too_much_of_one_are_65(raw: bytes) -> None:
    assert await run(raw) == (65, [])


async def test_a_strange_address_is_67() -> None:
    assert await run(b"hi", "nobody@desk.example") == (67, [])
