# SPDX-License-Identifier: AGPL-3.0-or-later
"""What two deliveries of one mail have in common, whichever way each of them took."""

import hashlib
import re

from mail.limits import HEADER_BYTES

_FIELD = re.compile(rb"([!-9;-~]{1,100}):[^\n]*\n(?:[ \t][^\n]*(?:\n|\Z))*")
_TRACE = frozenset(
    {
        b"received",
        b"return-path",
        b"delivered-to",
        b"x-original-to",
        b"x-delivered-to",
        b"x-envelope-to",
        b"x-envelope-from",
        b"envelope-to",
        b"delivery-date",
        b"x-received",
        b"received-spf",
        b"authentication-results",
        b"x-originating-ip",
        b"x-uid",
        b"x-uidl",
        b"x-virus-scanned",
        b"status",
        b"x-status",
        b"content-length",
        b"lines",
    }
)
"""Fields that mail servers write on the way (RFC 5321, 4.4; RFC 5322, 3.6.7; RFC 8601) or mailboxes keep."""
_TRACE_FAMILIES = (b"arc-", b"x-spam", b"x-google-", b"x-gm-", b"x-ms-exchange-")


def identity(raw: bytes) -> str:
    """Return a digest (hexadecimal SHA-256) of a letter without its trace fields and without its line ends.

    Two letters with the same one are one mail, its Message-ID included, or its words where it has none.
    """
    lines = raw.translate(None, b"\r").lstrip(b"\n")
    end = lines.find(b"\n\n", 0, HEADER_BYTES)
    head, body = (lines[: end + 1], lines[end:]) if end >= 0 else (b"", lines)
    digest = hashlib.sha256()
    at = 0
    while at < len(head):
        field = _FIELD.match(head, at)
        stop = field.end() if field else head.find(b"\n", at) + 1 or len(head)
        if field is None or not _is_trace(field[1].lower()):
            digest.update(head[at:stop])
        at = stop
    digest.update(body.rstrip(b"\n"))
    return digest.hexdigest()


def _is_trace(name: bytes) -> bool:
    return name in _TRACE or name.startswith(_TRACE_FAMILIES)
