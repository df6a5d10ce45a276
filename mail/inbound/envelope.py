# SPDX-License-Identifier: AGPL-3.0-or-later
"""For whom a letter in a mailbox came: what is left of its envelope in the headers."""

from collections.abc import Callable
from dataclasses import dataclass

from mail.addresses import split_token
from mail.limits import HEADER_BYTES
from mail.text.headers import HeaderBlock

_RECIPIENTS = ("delivered-to", "x-original-to", "envelope-to", "to", "cc")
"""The mail server that delivered it writes the first three, above all that the sender wrote."""


@dataclass(frozen=True)
class Addressing:
    """How the letters of one mailbox find their queues: all go to `queue`, or each by its recipients."""

    queue_of: Callable[[str], str | None]
    queue: str | None = None


@dataclass(frozen=True)
class Envelope:
    """What LMTP would have told."""

    mail_from: str
    """Empty for the null sender."""
    recipient: str
    queue: str
    token: str | None


def read_envelope(raw: bytes, addressing: Addressing) -> Envelope | None:
    """Return for whom a letter is; None when no queue is among its recipients."""
    headers = HeaderBlock(_head(raw))
    ours = [
        (address, queue)
        for name in _RECIPIENTS
        for _, address in headers.addresses(name)
        if (queue := addressing.queue_of(address)) is not None
    ]
    queue = addressing.queue or next((queue for _, queue in ours), None)
    if queue is None:
        return None
    same = [address for address, its in ours if its == queue]
    # Some servers cut the token off in Delivered-To and leave it in the other fields.
    recipient = next((address for address in same if split_token(address)[1]), next(iter(same), ""))
    return Envelope(_sender(headers), recipient, queue, split_token(recipient)[1])


def _sender(headers: HeaderBlock) -> str:
    """Return the envelope sender (RFC 5321, 4.4); no Return-Path is not the null sender."""
    field = "return-path" if headers.raw("return-path") else "from"
    return next((address for _, address in headers.addresses(field)), "")


def _head(raw: bytes) -> bytes:
    head = raw[:HEADER_BYTES]
    ends = [at for at in (head.find(b"\n\n"), head.find(b"\r\n\r\n")) if at >= 0]
    return head[: min(ends, default=HEADER_BYTES)]
