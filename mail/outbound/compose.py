# SPDX-License-Identifier: AGPL-3.0-or-later
"""Building outgoing mail: signed (RFC 3156, 5) or encrypted, with protected headers (RFC 9788)."""

import base64
import datetime as dt
import email.utils
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Protocol

from desk.replies.recipients import addr_spec
from desk.world import Refusal
from mail.openpgp import packets
from mail.outbound.attach import EnclosedFile, file_part

OUTER_SUBJECT = "..."
"""What the world reads instead of the subject of an encrypted mail."""

_CONTROLS = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+")
_LINE_END = re.compile(r"\r\n?")
_MESSAGE_ID = re.compile(r"<[\x21-\x3b\x3d\x3f-\x7e]{3,400}>")
_MOST_REFERENCES = 30
_AUTOCRYPT_BYTES = 10_000 * 3 // 4
_LONGEST_LINE = 78
_POLICY = policy.SMTP.clone(max_line_length=_LONGEST_LINE)

Fields = list[tuple[str, str]]


class Uncomposable(Exception):
    """The mail cannot be built; the text says why, without personal data."""


class Armored(Protocol):
    """What a seal or a signature gives."""

    @property
    def armor(self) -> bytes:
        """The armored block."""

    @property
    def micalg(self) -> str:
        """The hash, as RFC 3156 names it."""


class Sealer(Protocol):
    """What is needed of the keyring; it blocks, so call `compose` in a thread."""

    def encrypt_and_sign(self, data: bytes, *, to: Sequence[bytes], signer: str) -> Armored:
        """Encrypt to all of `to`, signed by `signer`, or raise."""

    def sign_detached(self, data: bytes, *, signer: str) -> Armored:
        """Sign exactly `data`, or raise."""


@dataclass(frozen=True)
class OutgoingLetter:
    """What a mail says and to whom. Line ends of `text` do not matter; ids carry angle brackets."""

    sender: str
    """The queue's address."""
    sender_name: str
    """The role, as the recipient reads it; never an agent's name."""
    recipient: str
    subject: str
    text: str
    message_id: str
    date: dt.datetime
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    reply_to: str = ""
    """Where answers go, if not to `sender`."""
    autocrypt_key: bytes | None = field(default=None, repr=False)
    """The queue's public key, to offer it."""
    files: tuple[EnclosedFile, ...] = field(default=(), repr=False)
    automatic: bool = False
    """Nobody wrote it: it says so, and is not to be answered by programs (RFC 3834)."""

    def offering(self, key: bytes) -> "OutgoingLetter":
        """Return the same letter with the queue's public key to offer."""
        return replace(self, autocrypt_key=key)


@dataclass(frozen=True)
class Signing:
    """Signed with the queue's key of the full fingerprint `signer`."""

    keyring: Sealer
    signer: str


@dataclass(frozen=True)
class Encrypting:
    """Signed, and encrypted to all the public keys `keys`."""

    keyring: Sealer
    signer: str
    keys: tuple[bytes, ...]


Protection = Signing | Encrypting


def compose(letter: OutgoingLetter, protection: Protection) -> bytes:
    """The whole mail, with CRLF and in ASCII; only a recipient's address may go beyond it (RFC 6532).

    Raises Uncomposable for a bad address or id, and what the keyring raises: there is no way from
    here to a mail with less protection than asked for.
    """
    if isinstance(protection, Encrypting):
        return _compose_encrypted(letter, protection)
    return _compose_signed(letter, protection)


def one_line(value: str) -> str:
    """`value` made fit for a header: each run of white space and control characters becomes one space."""
    text = _CONTROLS.sub(" ", _without_surrogates(value)).strip()
    # Such words would be decoded by the reader, with whatever is hidden in them (RFC 2047).
    return text.replace("=?", "= ?")


def _without_surrogates(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _compose_encrypted(letter: OutgoingLetter, protection: Encrypting) -> bytes:
    inner = _fields(letter, one_line(letter.subject))
    outer = _fields(letter, OUTER_SUBJECT)
    shown = [("HP-Outer", f"{name}: {value}") for name, value in outer]
    # RFC 9788 reads `hp`; mail programs of the years before it read `protected-headers`.
    payload = _head([*inner, *shown]) + _content(letter, "cipher", _copy_of(letter.subject))
    sealed = protection.keyring.encrypt_and_sign(payload, to=protection.keys, signer=protection.signer)
    version = b"Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n"
    message = (
        b'Content-Type: application/octet-stream; name="encrypted.asc"\r\n'
        b'Content-Disposition: inline; filename="encrypted.asc"\r\n\r\n' + _crlf(sealed.armor)
    )
    kind = 'multipart/encrypted; protocol="application/pgp-encrypted"'
    return _multipart([*outer, *_offer(letter)], kind, [version, message])


def _compose_signed(letter: OutgoingLetter, protection: Signing) -> bytes:
    # The headers are signed too (RFC 9788, hp="clear"); trailing blanks are encoded (RFC 3156, 5).
    fields = _fields(letter, one_line(letter.subject))
    payload = _head(fields) + _content(letter, "clear")
    signed = protection.keyring.sign_detached(payload, signer=protection.signer)
    signature = (
        b'Content-Type: application/pgp-signature; name="signature.asc"\r\n'
        b'Content-Disposition: attachment; filename="signature.asc"\r\n\r\n' + _crlf(signed.armor)
    )
    kind = f'multipart/signed; micalg="{signed.micalg}"; protocol="application/pgp-signature"'
    return _multipart([*fields, *_offer(letter)], kind, [payload, signature])


def _copy_of(subject: str) -> str:
    """Lines that programs show which open the mail and know no protected headers (RFC 9788, 5.2.3).

    To whoever is not known to use a newer program they are to be sent (5.2.2); newer ones hide them.
    """
    return f"Subject: {one_line(subject)}\n\n"


def _content(letter: OutgoingLetter, hp: str, copy: str = "") -> bytes:
    """The text, or the text and files, from the Content-Type on; its root says how headers are protected."""
    root = f'; hp="{hp}"; protected-headers="v1"'
    text, shown = f"{copy}{letter.text}", '; hp-legacy-display="1"' if copy else ""
    if not letter.files:
        return _text_part(text, root + shown)
    try:
        files = [file_part(file) for file in letter.files]
    except ValueError:
        raise Uncomposable("A file has no media type that can leave.") from None
    return _parts("multipart/mixed" + root, [_text_part(text, shown), *files])


def _multipart(fields: Fields, kind: str, parts: Sequence[bytes]) -> bytes:
    return _head(fields) + b"MIME-Version: 1.0\r\n" + _parts(kind, parts)


def _parts(kind: str, parts: Sequence[bytes]) -> bytes:
    """A multipart from its Content-Type on."""
    # Derived from the content, so that it cannot occur in it and needs no chance.
    boundary = "=-" + hashlib.sha256(b"".join(parts)).hexdigest()[:40]
    content_type = f"Content-Type: {kind.replace('; ', ';' + chr(13) + chr(10) + ' ')};"
    head = f'{content_type}\r\n boundary="{boundary}"\r\n\r\n'.encode("ascii")
    delimiter = f"--{boundary}\r\n".encode("ascii")
    return (
        head + b"".join(delimiter + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode("ascii")
    )


def _fields(letter: OutgoingLetter, subject: str) -> Fields:
    references = [_id(reference) for reference in letter.references[-_MOST_REFERENCES:]]
    fields = [
        ("From", str(Address(one_line(letter.sender_name), addr_spec=_address(letter.sender)))),
        ("To", _address(letter.recipient)),
        ("Subject", subject),
        ("Date", _date(letter.date)),
        ("Message-ID", _id(letter.message_id)),
    ]
    if letter.reply_to:
        fields.append(("Reply-To", _address(letter.reply_to)))
    if letter.in_reply_to:
        fields.append(("In-Reply-To", _id(letter.in_reply_to)))
    if references:
        fields.append(("References", " ".join(references)))
    if letter.automatic:
        fields += [("Auto-Submitted", "auto-replied" if letter.in_reply_to else "auto-generated")]
    return fields


def _address(address: str) -> str:
    try:
        is_fit = addr_spec(address) == address
    except Refusal:
        is_fit = False
    if not is_fit:
        raise Uncomposable("One of the addresses is not valid.")
    return address


def fit_ids(message_ids: Iterable[str | None]) -> tuple[str, ...]:
    """Return those that can stand in a header, without repetitions; strangers make odd ones."""
    fit = [each for each in message_ids if each is not None and _MESSAGE_ID.fullmatch(each)]
    return tuple(dict.fromkeys(fit))


def _id(message_id: str) -> str:
    if not _MESSAGE_ID.fullmatch(message_id):
        raise Uncomposable("A Message-ID is not valid.")
    return message_id


def _date(date: dt.datetime) -> str:
    # Seconds and the zone would tell about the agent.
    return email.utils.format_datetime(date.astimezone(dt.UTC).replace(second=0, microsecond=0))


def _offer(letter: OutgoingLetter) -> Fields:
    """The Autocrypt header (Autocrypt Level 1, 2.1); none if the key is larger than that allows."""
    if letter.autocrypt_key is None:
        return []
    key = packets.dearmor(letter.autocrypt_key)
    if len(key) > _AUTOCRYPT_BYTES:
        return []
    data = base64.b64encode(key).decode("ascii")
    chunks = " ".join(data[at : at + _LONGEST_LINE - 2] for at in range(0, len(data), _LONGEST_LINE - 2))
    return [("Autocrypt", f"addr={_address(letter.sender)}; prefer-encrypt=mutual; keydata= {chunks}")]


def _head(fields: Fields) -> bytes:
    return b"".join(_folded(name, value) for name, value in fields)


def _folded(name: str, value: str) -> bytes:
    if name == "To" or value.startswith("To: "):
        # An address that goes beyond ASCII stands as it is; it cannot be encoded (RFC 6532, 3.2).
        return f"{name}: {value}\r\n".encode()
    if value.isascii() and (name != "Subject" or len(name) + len(value) < _LONGEST_LINE):
        return _folded_at_spaces(name, value)
    return str(_POLICY.header_factory(name, value).fold(policy=_POLICY)).encode("ascii")


def _folded_at_spaces(name: str, value: str) -> bytes:
    # The standard library encodes a Message-ID longer than a line as if it were words.
    lines = [f"{name}:"]
    for word in value.split(" "):
        if len(lines[-1]) + 1 + len(word) > _LONGEST_LINE and lines[-1] != f"{name}:":
            lines.append("")
        lines[-1] += f" {word}"
    return "".join(f"{line.rstrip()}\r\n" for line in lines).encode("ascii")


def _text_part(text: str, parameters: str = "") -> bytes:
    """A text/plain part from its Content-Type on, with CRLF."""
    plain = _LINE_END.sub("\n", _without_surrogates(text)).removesuffix("\n")
    ascii_only = plain.isascii() and all(_is_simple(line) for line in plain.split("\n"))
    part = EmailMessage(policy=_POLICY)
    part.set_content(plain + "\n", charset="utf-8", cte="7bit" if ascii_only else "quoted-printable")
    body = part.as_bytes().partition(b"\r\n\r\n")[2]
    if not ascii_only:
        # "From " at the start of a line gets a ">" from some servers, which breaks a signature.
        body = re.sub(rb"(?m)^From ", b"=46rom ", body)
    encoding = b"7bit" if ascii_only else b"quoted-printable"
    kind = f'Content-Type: text/plain; charset="utf-8"{parameters}\r\n'.encode("ascii")
    return kind + b"Content-Transfer-Encoding: " + encoding + b"\r\n\r\n" + body


def _is_simple(line: str) -> bool:
    controls = any(char < " " and char != "\t" for char in line)
    return (
        len(line) <= _LONGEST_LINE and line == line.rstrip() and not line.startswith("From ") and not controls
    )


def _crlf(armor: bytes) -> bytes:
    return armor.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
