# SPDX-License-Identifier: AGPL-3.0-or-later
"""The pipe door: the core of `helproom deliver`, for mail servers that start a program for each letter."""

import os
from collections.abc import Callable
from typing import BinaryIO

import structlog

from mail.addresses import is_legible, split_token
from mail.inbound.incoming import Keep, is_empty
from mail.limits import LETTER_BYTES
from storage.engine.troubles import StorageTrouble
from storage.queries.letters import IncomingMail

log = structlog.get_logger()


async def deliver(
    stream: BinaryIO, keep: Keep, *, queue_of: Callable[[str], str | None], recipient: str, mail_from: str
) -> int:
    """Read one letter from `stream`, keep it, and return a code of sysexits.h for the process to end with.

    0: it is kept. 75: try later. 65: never, it is empty or too large. 67: never, there is no such address.
    """
    try:
        queue = queue_of(recipient)
        if queue is None or not is_legible(recipient):
            return os.EX_NOUSER
        raw = stream.read(LETTER_BYTES + 1)
        if is_empty(raw) or len(raw) > LETTER_BYTES:
            return os.EX_DATAERR
        sender = "" if mail_from == "<>" else mail_from
        await keep(IncomingMail(queue, sender, split_token(recipient)[1], raw))
    except StorageTrouble as trouble:
        log.error("letter not kept", trouble=str(trouble))  # noqa: TRY400 - a sentence for the sysadmin
        return os.EX_TEMPFAIL
    except Exception as fault:  # noqa: BLE001 - whatever breaks here, the mail server must keep the letter
        log.error("letter not kept", fault=type(fault).__name__)  # noqa: TRY400 - its text may name people
        return os.EX_TEMPFAIL
    return os.EX_OK
