# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a report on a mail's delivery says (RFC 3464, RFC 6522): fates, codes and which mail it was."""

import re

from desk.letters.opened import Bounce, RecipientStatus
from mail.addresses import split_token
from mail.mime.parts import Part
from mail.origin.automatic import RETURNED_TYPES, STATUS_TYPES, is_complaint, may_be_persons
from mail.text.charsets import decode
from mail.text.headers import HeaderBlock, read_addresses
from mail.text.html import charset_of, html_to_text

_ACTIONS = frozenset({"failed", "delayed", "delivered", "relayed", "expanded"})
# RFC 3463, 2; whatever else stands there is not ours to repeat.
_CODE = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}")
_EMPTY_LINE = re.compile(rb"\n[ \t]*\n")
_QUOTED_ID = re.compile(
    r"^[> ]{0,4}Message-ID:[ \t]*(?:\n[ \t]+)?(<[!-~]{3,400}>)", re.IGNORECASE | re.MULTILINE
)
_MOST_RECIPIENTS = 100
_HEAD_BYTES = 64_000
"""So much of a returned mail, or of a bounce in words, is looked at."""


def read_bounce(letter: Part, mail_from: str | None = None) -> Bounce:
    """Read what a bounce or a complaint says, as far as it says it in a form that programs read.

    `mail_from` is the envelope sender, as in `why_automatic`.
    """
    fates: list[RecipientStatus] = []
    message_ids: list[str] = []
    tokens: list[str] = []
    for part in letter.walk():
        if part.type in STATUS_TYPES:
            fates += _fates(part)
        elif part.type in RETURNED_TYPES:
            returned = HeaderBlock(_head(part.content()))
            message_ids += returned.message_ids("message-id")[:1]
            tokens += _tokens(returned)
        elif part.type in {"text/plain", "text/html"}:
            message_ids += _QUOTED_ID.findall(_words(part))[:3]
    return Bounce(
        tuple(fates[:_MOST_RECIPIENTS]),
        tuple(dict.fromkeys(message_ids)),
        tuple(dict.fromkeys(tokens)),
        is_complaint=is_complaint(letter),
        may_be_persons=may_be_persons(letter, mail_from),
    )


def _words(part: Part) -> str:
    """Exchange writes some of its bounces in HTML alone."""
    content = part.content()[:_HEAD_BYTES].replace(b"\r\n", b"\n")
    if part.type == "text/plain":
        return content.decode("latin-1")
    return html_to_text(decode(content, part.params.get("charset", "") or charset_of(content))[0])


def _fates(part: Part) -> list[RecipientStatus]:
    """Fields of the mail come first, then those of each recipient, apart by empty lines (RFC 3464, 2.1)."""
    text = part.content().replace(b"\r\n", b"\n").strip()
    groups = _EMPTY_LINE.split(text)[: _MOST_RECIPIENTS + 1]
    return [fate for group in groups if (fate := _fate(HeaderBlock(group.strip(b"\n") + b"\n"))) is not None]


def _fate(fields: HeaderBlock) -> RecipientStatus | None:
    action = fields.token("action").split(" ")[0]
    if action not in _ACTIONS:
        return None
    code = _CODE.match(fields.one("status"))
    named = (_address(fields, "original-recipient"), _address(fields, "final-recipient"))
    return RecipientStatus(action, code[0] if code else "", tuple(address for address in named if address))


def _address(fields: HeaderBlock, name: str) -> str:
    """An address stands behind its type: "rfc822; kim@example.org"."""
    value = next(iter(fields.raw(name)), "").partition(";")[2]
    return next((address for _, address in read_addresses([value])), "")


def _tokens(returned: HeaderBlock) -> list[str]:
    found = (split_token(address)[1] for _, address in returned.addresses("reply-to"))
    return [token for token in found if token]


def _head(content: bytes) -> bytes:
    lines = content[:_HEAD_BYTES].replace(b"\r\n", b"\n")
    return lines.partition(b"\n\n")[0] + b"\n"
