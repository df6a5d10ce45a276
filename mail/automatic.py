# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether a program wrote the letter (RFC 3834, RFC 3464, RFC 2919)."""

from desk.opened import Automatic
from mail.headers import HeaderBlock
from mail.parts import Part

_BOUNCERS = ("mailer-daemon", "postmaster")


def why_automatic(letter: Part, mail_from: str | None) -> Automatic | None:
    """Say why no person wrote the letter, or None.

    `mail_from` is the envelope sender: "" for the null sender, None when unknown (then Return-Path counts).
    X-Auto-Response-Suppress is no reason: Exchange puts it on letters written by people.
    """
    headers = letter.headers
    if letter.type == "multipart/report":
        is_receipt = letter.params.get("report-type", "").lower() == "disposition-notification"
        return Automatic.AUTO_REPLY if is_receipt else Automatic.BOUNCE
    if _is_list(headers):
        return Automatic.LIST
    has_null_sender = mail_from == "" or (mail_from is None and headers.one("return-path") == "<>")
    if _is_from_bouncer(headers):
        return Automatic.BOUNCE
    is_marked = headers.token("auto-submitted") not in {"", "no"}
    return Automatic.AUTO_REPLY if is_marked or has_null_sender else None


def _is_list(headers: HeaderBlock) -> bool:
    return bool(headers.one("list-id")) or headers.token("precedence") in {"bulk", "junk", "list"}


def _is_from_bouncer(headers: HeaderBlock) -> bool:
    return any(address.partition("@")[0] in _BOUNCERS for _, address in headers.addresses("from"))
