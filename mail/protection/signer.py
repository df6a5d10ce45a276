# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether a signature is by the one whom the letter names as its sender."""

from collections.abc import Sequence
from dataclasses import replace

from desk.letters.opened import Signature, SignatureState
from mail.openpgp.keyring import Keyring
from mail.text.headers import HeaderBlock, addresses_in, instant

_GOOD = frozenset({SignatureState.GOOD, SignatureState.GOOD_OTHER_SENDER, SignatureState.PARTIAL})
_LONG = 24 * 3600
"""Seconds by which clocks and slow ways may let a signature be older than the letter's date."""
_OTHER = "The signature is good, but its key belongs to another address than the letter's sender."
_BEHALF = "The signature is good, but the Sender field names another address than its key belongs to."
_NONE = "The letter names no sender."
_SEVERAL = "The letter names more than one sender; the first is taken."
_DISGUISED = "The sender's display name holds another address than the one the letter comes from."


def bind_sender(
    signature: Signature, fields: HeaderBlock, keyring: Keyring, signers: Sequence[bytes]
) -> Signature:
    """Leave a good signature good only if every address of the one From field is in the signer's key.

    So must be that of Sender (RFC 5322, 3.6.2): some mail programs show it as who wrote.
    """
    if signature.state is not SignatureState.GOOD:
        return signature
    senders = {address for _, address in fields.addresses("from")}
    known = keyring.addresses_of(signature.fingerprint or "", signers)
    if not senders or len(fields.raw("from")) != 1 or not senders <= known:
        return replace(signature, state=SignatureState.GOOD_OTHER_SENDER, detail=_OTHER)
    if not {address for _, address in fields.addresses("sender")} <= known:
        return replace(signature, state=SignatureState.GOOD_OTHER_SENDER, detail=_BEHALF)
    return signature


def is_signed_long_before(fields: HeaderBlock, signatures: Sequence[Signature]) -> bool:
    """Tell whether a good signature is more than a day older than the Date beside it."""
    date = instant(fields)
    made = [one.made_at for one in signatures if one.state in _GOOD and one.made_at is not None]
    return date is not None and any(date - one.timestamp() > _LONG for one in made)


def odd_senders(fields: HeaderBlock) -> tuple[str, ...]:
    """Say what is odd about the From of a letter, in sentences without addresses."""
    senders = fields.addresses("from")
    if not senders:
        return (_NONE,)
    odd = (_SEVERAL,) if len(senders) > 1 or len(fields.raw("from")) > 1 else ()
    name, address = senders[0]
    return (*odd, _DISGUISED) if any(other != address for other in addresses_in(name)) else odd
