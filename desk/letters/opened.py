# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a letter turned out to hold once it was opened: the values that `mail` hands to `desk`."""

import datetime as dt
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal


class EncryptionState(StrEnum):
    """How the letter was encrypted, as GnuPG's status lines and return code show it."""

    NONE = "none"
    OK = "ok"
    UNDECRYPTABLE = "undecryptable"
    BROKEN = "broken"
    PARTIAL = "partial"


class SignatureState(StrEnum):
    """What one OpenPGP signature is worth."""

    GOOD = "good"
    GOOD_OTHER_SENDER = "good-other-sender"
    UNKNOWN_KEY = "unknown-key"
    EXPIRED_KEY = "expired-key"
    REVOKED_KEY = "revoked-key"
    BAD = "bad"
    PARTIAL = "partial"


class Automatic(StrEnum):
    """Why a letter was not written by a person (RFC 3834, RFC 3464)."""

    AUTO_REPLY = "auto-reply"
    BOUNCE = "bounce"
    LIST = "list"
    LOOP = "loop"


@dataclass(frozen=True)
class Encryption:
    """The verdict on a letter's encryption; `detail` says it in words an agent understands."""

    state: EncryptionState
    detail: str = ""


@dataclass(frozen=True)
class Signature:
    """One signature; `fingerprint` is 40 hexadecimal digits of the primary key, if GnuPG told it."""

    state: SignatureState
    fingerprint: str | None
    covers: Literal["all", "part"] = "all"
    detail: str = ""
    made_at: dt.datetime | None = None
    """When its maker says that it was made."""


@dataclass(frozen=True)
class Headers:
    """The headers that count; where the payload protects them, the protected ones."""

    subject: str = ""
    outer_subject: str = ""
    sender: str = ""
    """Address of From, lower case, without display name; empty when there is none."""
    sender_name: str = ""
    reply_to: str = ""
    message_id: str = ""
    """With angle brackets (RFC 5322, 3.6.4); empty when there is none."""
    inner_message_id: str = ""
    """The one that stands in the protected part, where it is another: that of the writer's own program."""
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    protected: bool = False
    mismatch: tuple[str, ...] = ()
    """Names of headers whose protected and outer values differ, apart from a subject hidden outside."""
    names_sender: bool = False
    """What is protected says from whom it comes, and outside stands the same."""
    recipients: tuple[str, ...] = field(default=(), repr=False)
    """Addresses of To, lower case."""
    copies: tuple[str, ...] = field(default=(), repr=False)
    """Addresses of Cc, lower case: others who got it, to whom no answer goes."""


@dataclass(frozen=True)
class Attachment:
    """A part that is not the text; `size` in bytes, decoded."""

    name: str
    type: str
    size: int
    content: bytes = b""
    looks_like: str = ""
    """The media type that its first bytes show, where it is another than the declared one."""
    danger: str = ""
    """Why nobody should open it ("a program", "may hold macros", ...); empty when nothing is known."""
    about: str = ""
    """What it says in a line, for an invitation."""


@dataclass(frozen=True)
class OfferedKey:
    """A public key that came with the letter; `armor` is one minimal armored key without secrets."""

    fingerprint: str
    source: Literal["autocrypt", "attached", "report", "imported"]
    armor: bytes = field(repr=False)
    expires_at: dt.datetime | None = None
    """From when on nothing can be encrypted to it."""
    problem: Literal["", "revoked", "unusable"] = ""
    """Why nothing can be encrypted to it at any time; empty when only `expires_at` counts."""
    algorithm: str = ""
    created_at: dt.datetime | None = None
    addresses: tuple[str, ...] = field(default=(), repr=False)
    """Mail addresses of its user ids, lower case."""
    prefers_encryption: bool | None = None
    """Whether the Autocrypt header that brought it says prefer-encrypt=mutual; None if another way did."""
    grown_from: str = ""
    """Digest of the known copy with which this one was merged; empty when it is as it came."""
    came_as: str = ""
    """Digest of this copy before it was merged."""


@dataclass(frozen=True)
class WhisperBack:
    """The fields of a WhisperBack report; None where the report does not hold them."""

    whisperback_id: str | None = None
    report_subject: str = ""
    contact_email: str | None = None
    contact_raw: str | None = None
    openpgp_key: str | None = None
    """"block", or the key id, fingerprint or URL as it was typed."""
    tails_version: str | None = None
    app: str | None = None
    """"Bug-specific app": written by a program, in English."""
    manufacturer: str | None = None
    product: str | None = None
    product_version: str | None = None
    wifi_pci: str | None = None
    gpu_pci: str | None = None
    """The first graphics device."""
    gpus_pci: tuple[str, ...] = ()
    """All of them, as of laptops that have two."""
    wifi_driver: str | None = None
    body_chars: int = 0
    debug_info: bool = True
    empty: bool = False
    user_text: str = ""
    """Only what the person wrote, without the program's headings."""
    sections: tuple[tuple[str, str], ...] = ()
    """Debugging sections as (key, content), in order."""
    garbled: tuple[str, ...] = ()
    """Names of the fields that are there and cannot be read."""


@dataclass(frozen=True)
class Language:
    """A detected language: ISO 639-1 code and a confidence between 0 and 1."""

    code: str
    confidence: float


@dataclass(frozen=True)
class RecipientStatus:
    """What became of a mail for one recipient (RFC 3464, 2.3)."""

    action: str
    """"failed", "delayed", "delivered", "relayed" or "expanded"."""
    code: str
    """Enhanced status code such as "5.1.1" (RFC 3463); empty when there is none."""
    recipients: tuple[str, ...] = field(default=(), repr=False)
    """The original and the final recipient, as far as they are told."""


@dataclass(frozen=True)
class Bounce:
    """What a report on a mail's delivery says, or a complaint about it. Anybody can write one."""

    fates: tuple[RecipientStatus, ...] = ()
    message_ids: tuple[str, ...] = ()
    """Of the mail that it returns or quotes."""
    tokens: tuple[str, ...] = ()
    """Reply tokens of the mail that it returns."""
    is_complaint: bool = False
    """It says that somebody called the mail unwanted (RFC 5965)."""
    may_be_persons: bool = False
    """Nothing but its words shows that it is one."""


@dataclass(frozen=True)
class Opened:
    """A letter, opened. Nothing in it comes from a decryption whose verdict is not `ok`."""

    form: str
    """"plain", "pgp/mime encrypted", "pgp/mime signed", "inline encrypted", ..."""
    encryption: Encryption
    headers: Headers
    text: str
    signatures: tuple[Signature, ...] = ()
    unprotected_text: str = ""
    """Text of the letter that stood outside what was encrypted or signed."""
    attachments: tuple[Attachment, ...] = ()
    keys: tuple[OfferedKey, ...] = ()
    whisperback: WhisperBack | None = None
    automatic: Automatic | None = None
    is_unanswerable: bool = False
    """No program may answer it (RFC 3834, 2)."""
    loop_marks: tuple[str, ...] = ()
    """Addresses in X-Loop, through which it came before."""
    bounce: Bounce | None = None
    identity: str = ""
    """What all deliveries of one mail have in common; empty when it is not known."""
    language: Language | None = None
    sessions: tuple[str, ...] = ()
    """SHA-256 of the session keys: one that came before, from somebody else, is a ciphertext replayed."""
    relayed: tuple[str, ...] = ()
    """What a list says that relayed the letter and signed that, in sentences; empty when none did."""
    is_replayed: bool = False
    """Such a one is in it; known only once the letter's sender is."""
    problems: tuple[str, ...] = ()
    """Sentences for the agent about what is odd with this letter."""

    @property
    def by_whisperback(self) -> bool:
        """Whether it came through WhisperBack: it holds a report with an id."""
        return self.whisperback is not None and self.whisperback.whisperback_id is not None


class Unopenable(Exception):
    """The letter breaks a limit or cannot be parsed; the text is the reason, without personal data."""
