# SPDX-License-Identifier: AGPL-3.0-or-later
"""Headers inside the protection (RFC 9788 and the draft before it), and which of the two sets counts."""

from desk.opened import Encryption, EncryptionState, Headers, Signature, SignatureState
from mail.headers import HeaderBlock
from mail.parts import Part

_COMPARED_ADDRESSES = ("From", "To", "Cc", "Reply-To")
_COMPARED_TEXTS = ("Date", "Message-ID", "In-Reply-To", "References")


def protected_fields(payload: Part | None) -> HeaderBlock | None:
    """Return the header fields of a payload that says it carries the letter's own headers."""
    if payload is None:
        return None
    marks = payload.params
    is_marked = (
        marks.get("hp", "").lower() in {"cipher", "clear"} or marks.get("protected-headers", "")[:2] == "v1"
    )
    return payload.headers if is_marked else None


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
    return _headers(outer, inner, inner if binds else outer, mismatch=_differences(outer, inner))


def _headers(
    outer: HeaderBlock, counted: HeaderBlock, from_: HeaderBlock, mismatch: tuple[str, ...] | None
) -> Headers:
    senders = from_.addresses("from")
    name, sender = senders[0] if senders else ("", "")
    outer_subject = outer.one("subject")
    return Headers(
        subject=counted.one("subject") if counted.raw("subject") else outer_subject,
        outer_subject=outer_subject,
        sender=sender,
        sender_name=name,
        reply_to=next((address for _, address in from_.addresses("reply-to")), ""),
        message_id=next(iter(outer.message_ids("message-id")), ""),
        in_reply_to=counted.message_ids("in-reply-to") or outer.message_ids("in-reply-to"),
        references=counted.message_ids("references") or outer.message_ids("references"),
        protected=mismatch is not None,
        mismatch=mismatch or (),
    )


def _differences(outer: HeaderBlock, inner: HeaderBlock) -> tuple[str, ...]:
    """Name the headers that both sets have, with different values."""
    both = [name for name in (*_COMPARED_ADDRESSES, *_COMPARED_TEXTS) if outer.raw(name) and inner.raw(name)]
    return tuple(name for name in both if _value(outer, name) != _value(inner, name))


def _value(fields: HeaderBlock, name: str) -> object:
    if name in _COMPARED_ADDRESSES:
        return sorted({address for _, address in fields.addresses(name)})
    return fields.all(name)
