# SPDX-License-Identifier: AGPL-3.0-or-later
"""Kept letters as they are handed to GnuPG, each with the keys in use of its sender."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from desk.keys.standing import USED
from mail.limits import HEADER_BYTES
from mail.text.headers import HeaderBlock
from storage.models import ContactKey, Letter
from storage.sealing.vault import SealBroken, address_tag
from storage.unit import Unit

log = structlog.get_logger()


@dataclass(frozen=True)
class RawLetter:
    """A letter as it came, and by which keys it may be signed."""

    id: int
    raw: bytes | None = field(repr=False)
    """None when the master key here does not open it."""
    mail_from: str | None = field(repr=False)
    signers: tuple[bytes, ...] = field(repr=False)
    lease: dt.datetime | None
    """Until when nobody else begins it; None when it is only read."""


async def read_letter(unit: Unit, letter_id: int) -> RawLetter | None:
    """Return one letter, whatever became of it; None when its bytes are not kept any more."""
    letter = await unit.letters.whole(letter_id)
    return (await read_letters(unit, [letter]))[0] if letter is not None else None


async def read_letters(unit: Unit, letters: Sequence[Letter]) -> list[RawLetter]:
    """Return letters that were loaded with their bytes."""
    unsealed = [_unseal(letter) for letter in letters]
    tags = [_sender_tag(unit, raw) for raw, _ in unsealed]
    keys = await unit.keys.of_any({tag for tag in tags if tag})
    return [
        RawLetter(letter.id, raw, mail_from, _signers(keys, tag), letter.leased_until)
        for letter, (raw, mail_from), tag in zip(letters, unsealed, tags, strict=True)
    ]


def _unseal(letter: Letter) -> tuple[bytes | None, str | None]:
    try:
        return letter.raw, letter.mail_from
    except SealBroken:
        return None, None


def _sender_tag(unit: Unit, raw: bytes | None) -> str | None:
    try:
        senders = HeaderBlock(_head(raw or b"")).addresses("from")[:1]
    except Exception as surprise:  # noqa: BLE001 - the others of the batch must not wait for this one
        log.warning("letters.sender_unread", fault=type(surprise).__name__)
        return None
    return address_tag(unit.vault, senders[0][1]) if senders else None


def _signers(keys: Sequence[ContactKey], tag: str | None) -> tuple[bytes, ...]:
    """Return the keys known of the sender; one that is not in use counts for nothing."""
    return tuple(
        key.armor for key in keys if key.contact_tag == tag and key.state in USED and key.armor is not None
    )


def _head(raw: bytes) -> bytes:
    ends = [at for at in (raw.find(b"\n\n"), raw.find(b"\r\n\r\n")) if at >= 0]
    return raw[: min(ends, default=HEADER_BYTES)]
