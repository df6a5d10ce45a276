# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters that a Schleuder list has relayed: who wrote, in the list's word, once the list has signed for it.

A list re-encrypts what it gets and signs that itself. In front of the letter it puts a text part of fields
such as From, Date, Enc and Sig, which ends with 78 dashes; a part with the protected subject may follow.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from desk.config import Relay
from desk.letters.opened import Headers, Signature, SignatureState
from mail.mime.content import Content, safe_text
from mail.mime.parts import Part
from mail.text.headers import HeaderBlock, read_addresses, safe_text_line

_BLOCK = re.compile(r"((?:[A-Z][A-Za-z-]{0,30}:[^\n]*\n(?:[ \t][^\n]*\n)*)+)-{78}\s*")
_FOLD = re.compile(r"\n[ \t]+")
_LAST_ADDRESS = re.compile(r"<([^<>\s]{1,500})>\s*\Z")
_GOOD = frozenset({SignatureState.GOOD, SignatureState.GOOD_OTHER_SENDER})
_LONGEST = 300
_SUBJECT_TYPE = "text/rfc822-headers"
_SIGNED_BY_LIST = "The signature is the Schleuder list's that relayed the letter, not the writer's."
_WHO = (
    "Relayed by a Schleuder list, whose signature is good. Who wrote it is the list's word, and not signed "
    "by the person."
)
UNPROVED = (
    "The letter begins like one that a Schleuder list relays, but no list that the config names has signed "
    "it: what stands there proves nothing."
)


@dataclass(frozen=True)
class Relayed:
    """A letter without what a list has put around it."""

    headers: Headers
    contents: tuple[Content, ...]
    signatures: tuple[Signature, ...]
    words: tuple[str, ...] = ()
    """What the list says, for the agent; empty where none has relayed the letter."""


def read_relayed(
    outer: HeaderBlock, payload: Part | None, plain: Relayed, relays: Sequence[Relay]
) -> Relayed:
    """Unwrap a letter that one of `relays` has relayed and signed as a whole; return `plain` for any other.

    `plain` is the letter as it is without a list; its contents are those inside the protection.
    """
    headers = plain.headers
    relay = _relay_of(outer, plain.signatures, relays)
    fields = _fields(payload) if relay is not None else None
    if relay is None or fields is None or payload is None:
        return plain
    name, sender = _sender(fields.get("from", ""))
    reply_to = read_addresses([fields.get("reply-to", "")])
    subject = _subject(payload)
    return Relayed(
        replace(
            headers,
            sender=sender,
            sender_name=name,
            reply_to=reply_to[0][1] if len(reply_to) == 1 else "",
            subject=headers.subject if subject is None else subject,
            protected=subject is not None,
            mismatch=(),
            copies=tuple(dict.fromkeys(address for _, address in read_addresses([fields.get("cc", "")]))),
        ),
        _without_wrapping(plain.contents, payload),
        tuple(_told(each, relay) for each in plain.signatures),
        (_WHO, *(_said(label, fields[label]) for label in ("enc", "sig", "note") if fields.get(label))),
    )


def looks_relayed(contents: Sequence[Content]) -> bool:
    """Tell whether a letter begins with a text like the one that lists put in front."""
    first = next((text for content in contents for text in content.texts), "")
    found = _BLOCK.match(first.lstrip("\ufeff\n"))
    return found is not None and any(
        line.startswith(("From:", "Enc:", "Sig:")) for line in found[1].split("\n")
    )


def _relay_of(outer: HeaderBlock, signatures: Sequence[Signature], relays: Sequence[Relay]) -> Relay | None:
    """A list is known by the one address of From and by its own good signature over the whole letter.

    Its Sender is the address for bounces, which is in no key.
    """
    senders = [address for _, address in outer.addresses("from")]
    whole = [each for each in signatures if each.covers == "all" and each.state in _GOOD]
    if len(outer.raw("from")) != 1:
        return None
    return next(
        (
            relay
            for relay in relays
            if senders == [relay.address] and any(each.fingerprint == relay.fingerprint for each in whole)
        ),
        None,
    )


def _fields(payload: Part | None) -> dict[str, str] | None:
    """Read the fields of the first part, which holds nothing else; None when one of them comes twice."""
    if payload is None or payload.type != "multipart/mixed" or len(payload.children) < 2:  # noqa: PLR2004
        return None
    first = payload.children[0]
    block = _BLOCK.fullmatch(safe_text(first)[0].lstrip("\ufeff\n")) if first.type == "text/plain" else None
    if block is None:
        return None
    lines = _FOLD.sub(" ", block[1]).strip("\n").split("\n")
    pairs = [line.partition(":") for line in lines]
    names = [name.lower() for name, _, _ in pairs]
    if len(set(names)) != len(names):
        return None
    return {name.lower(): safe_text_line(value) for name, _, value in pairs}


def _sender(value: str) -> tuple[str, str]:
    """A name may hold an address, too: the one that counts stands last."""
    last = _LAST_ADDRESS.search(value)
    found = read_addresses([last[1] if last else value])
    if len(found) != 1:
        return "", ""
    return (value[: last.start()].strip(' "') if last else ""), found[0][1]


def _subject(payload: Part) -> str | None:
    second = payload.children[1]
    fields = HeaderBlock(second.content()) if second.type == _SUBJECT_TYPE else None
    return fields.one("subject") if fields is not None and fields.raw("subject") else None


def _without_wrapping(contents: Sequence[Content], payload: Part) -> tuple[Content, ...]:
    """Leave out the list's text, which comes first, and the part with the subject."""
    has_subject = payload.children[1].type == _SUBJECT_TYPE
    left = []
    is_off = False
    for content in contents:
        texts = content.texts if is_off or not content.texts else content.texts[1:]
        is_off = is_off or bool(content.texts)
        files = [each for each in content.attachments if not (has_subject and each.type == _SUBJECT_TYPE)]
        left.append(replace(content, texts=texts, attachments=files))
    return tuple(left)


def _told(signature: Signature, relay: Relay) -> Signature:
    if signature.fingerprint != relay.fingerprint or signature.state not in _GOOD:
        return signature
    return replace(signature, state=SignatureState.GOOD_OTHER_SENDER, detail=_SIGNED_BY_LIST)


def _said(label: str, value: str) -> str:
    words = value if len(value) <= _LONGEST else f"{value[: _LONGEST - 1]}…"
    return f"Schleuder's word, which nobody here has checked: {label.capitalize()}: {words}"
