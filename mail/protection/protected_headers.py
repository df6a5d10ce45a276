# SPDX-License-Identifier: AGPL-3.0-or-later
"""Headers inside the protection (RFC 9788 and the draft before it), and which of the two sets counts."""

import re
from dataclasses import replace

from desk.letters.opened import Encryption, EncryptionState, Headers, Signature, SignatureState
from mail.mime.parts import Part, read_parts
from mail.text.headers import HeaderBlock, instant

_COMPARED_ADDRESSES = ("From", "To", "Cc", "Reply-To")
_COMPARED_TEXTS = ("Date", "Message-ID", "In-Reply-To", "References")
_SUBJECT_TAGS = re.compile(r"(?:[^\W\d]{2,5}: ?|\[[^\]]{0,100}\] ?(?=.))*")
"""What answers and lists put in front: "Re: ", "[list] "."""
_HIDDEN_SUBJECT = re.compile(
    r"\W*|.{0,20}(?:crypt|kryp|unavailable|chiffr|cifra|schlüssel|versleut|szyfr|шифр|暗号|加密|p≡p|\bpep\b).*",
    re.IGNORECASE,
)
"""What mail programs put in the place of a subject that they hide."""


def unwrap_message(payload: Part, outer: HeaderBlock) -> Part:
    """Return the message that a whole payload wraps to protect its headers (RFC 8551, 3.1), else the payload.

    One that is not marked and comes from another sender than the letter is a letter passed on.
    Raises Unopenable when it breaks a limit.
    """
    if payload.type != "message/rfc822":
        return payload
    message = replace(read_parts(payload.content()), is_wrapped=True)
    is_marked = payload.params.get("forwarded", "").lower() == "no"
    is_own = _value(outer, "From") == _value(message.headers, "From") != []
    return message if is_marked or is_own else payload


def protected_fields(payload: Part | None) -> HeaderBlock | None:
    """Return the header fields of a payload that says it carries the letter's own headers."""
    if payload is None:
        return None
    marks = payload.params
    is_marked = (
        marks.get("hp", "").lower() in {"cipher", "clear"} or marks.get("protected-headers", "")[:2] == "v1"
    )
    return payload.headers if is_marked or payload.is_wrapped else None


def unmarked_subject(outer: HeaderBlock, payload: Part | None, encryption: Encryption) -> str:
    """Return a subject inside the encryption that is not marked as the letter's own; "" where there is none.

    Programs older than the mark (RFC 9788, 2.1.1) write it so; it may also be that of what is passed on.
    """
    if payload is None or encryption.state is not EncryptionState.OK or protected_fields(payload) is not None:
        return ""
    subject = payload.headers.one("subject")
    return "" if subject == outer.one("subject") else subject


def with_unmarked_subject(headers: Headers, outer: HeaderBlock, subject: str) -> Headers:
    """Show such a subject where the outer one says only that there is another."""
    return replace(headers, subject=subject) if subject and _hides_subject(outer) else headers


def choose_headers(
    outer: HeaderBlock,
    inner: HeaderBlock | None,
    encryption: Encryption,
    signatures: tuple[Signature, ...],
) -> Headers:
    """Take protected headers where a whole-letter protection holds, the outer ones elsewhere.

    A protected From counts only if a good signature belongs to it (else anybody could encrypt a false one).
    """
    whole = {signature.state for signature in signatures if signature.covers == "all"}
    holds = encryption.state is EncryptionState.OK or whole & {
        SignatureState.GOOD,
        SignatureState.GOOD_OTHER_SENDER,
    }
    if inner is None or not holds:
        return _headers(outer, outer, outer, mismatch=None)
    binds = SignatureState.GOOD in whole and bool(inner.addresses("from"))
    is_hidden = encryption.state is EncryptionState.OK
    mismatch = _differences(outer, inner, is_hidden=is_hidden)
    names_sender = bool(inner.addresses("from")) and "From" not in mismatch
    return replace(
        _headers(outer, inner, inner if binds else outer, mismatch=mismatch), names_sender=names_sender
    )


def _headers(
    outer: HeaderBlock, counted: HeaderBlock, from_: HeaderBlock, mismatch: tuple[str, ...] | None
) -> Headers:
    senders = from_.addresses("from")
    name, sender = senders[0] if senders else ("", "")
    outer_subject = outer.one("subject")
    message_id = next(iter(outer.message_ids("message-id")), "")
    inner_id = next(iter(counted.message_ids("message-id")), "")
    addressed = (counted if counted.raw("to") else outer).addresses("to")
    copied = (counted if counted.raw("cc") else outer).addresses("cc")
    return Headers(
        subject=counted.one("subject") if counted.raw("subject") else outer_subject,
        outer_subject=outer_subject,
        sender=sender,
        sender_name=name,
        reply_to=next((address for _, address in from_.addresses("reply-to")), ""),
        message_id=message_id,
        inner_message_id="" if inner_id == message_id else inner_id,
        in_reply_to=counted.message_ids("in-reply-to") or outer.message_ids("in-reply-to"),
        references=counted.message_ids("references") or outer.message_ids("references"),
        protected=mismatch is not None,
        mismatch=mismatch or (),
        recipients=tuple(dict.fromkeys(address for _, address in addressed)),
        copies=tuple(dict.fromkeys(address for _, address in copied)),
    )


def _differences(outer: HeaderBlock, inner: HeaderBlock, *, is_hidden: bool) -> tuple[str, ...]:
    """Name the headers whose outer values are not those that the sender gave them.

    What he put outside on purpose is told by HP-Outer (RFC 9788, 2.2); without it, it is taken to be what
    stands inside, or for the subject of an encrypted letter the words that programs put in its place.
    """
    meant = _told_outer(inner)
    expected = inner if meant is None else meant
    names = [*_COMPARED_ADDRESSES, *_COMPARED_TEXTS]
    names += [] if is_hidden and meant is None and _hides_subject(outer) else ["Subject"]
    both = [name for name in names if outer.raw(name) and expected.raw(name)]
    differing = [name for name in both if _value(outer, name) != _value(expected, name)]
    is_disguised = bool(outer.raw("from") and inner.raw("from")) and _value(outer, "From") != _value(
        inner, "From"
    )
    return tuple(dict.fromkeys([*(["From"] if is_disguised else []), *differing]))


def _hides_subject(outer: HeaderBlock) -> bool:
    return bool(_HIDDEN_SUBJECT.fullmatch(_SUBJECT_TAGS.sub("", outer.one("subject"), count=1)))


def _told_outer(inner: HeaderBlock) -> HeaderBlock | None:
    lines = inner.raw("hp-outer")
    if not lines:
        return None
    return HeaderBlock("\r\n".join(lines).encode("utf-8", "surrogateescape"))


def _value(fields: HeaderBlock, name: str) -> object:
    if name in _COMPARED_ADDRESSES:
        return sorted({address for _, address in fields.addresses(name)})
    return _instant(fields) if name == "Date" else fields.all(name)


def _instant(fields: HeaderBlock) -> object:
    """Return a date as the moment it is, as servers write "GMT" for "+0000"."""
    moment = instant(fields)
    return fields.all("date") if moment is None else moment
