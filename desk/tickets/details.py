# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is kept of a message beside its words, as JSON that is sealed with it: of a letter, and of a draft."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Self

from pydantic import TypeAdapter

from desk.letters.facts import tells_inner_subject, writer_of
from desk.letters.opened import Attachment, Opened
from desk.letters.verdicts import encryption_words
from storage.models import Message

_ADAPTERS: dict[type, TypeAdapter[Any]] = {}


def _adapter(kept: type) -> TypeAdapter[Any]:
    """Make one once: it costs a thousand times what it does."""
    if kept not in _ADAPTERS:
        _ADAPTERS[kept] = TypeAdapter(kept)
    return _ADAPTERS[kept]


class _Kept:
    """Reads and writes `message.details`; a field that an older Helproom did not write has its default."""

    @classmethod
    def load(cls, message: Message) -> Self:
        """Return what is kept of a message; raises ValueError when it is no such JSON."""
        kept: Self = _adapter(cls).validate_json(message.details) if message.details else cls()
        return kept

    def store(self, message: Message) -> None:
        """Keep this of a message, in place of what was kept."""
        message.details = _adapter(type(self)).dump_json(self).decode()

    @classmethod
    def change(cls, message: Message, **fields: Any) -> None:
        """Keep other values for some fields; raises TypeError for a field that there is not."""
        dataclasses.replace(cls.load(message), **fields).store(message)  # type: ignore[type-var]  # each is one


@dataclass(frozen=True)
class FileDetails:
    """An attachment of a letter, as agents read of it."""

    name: str
    type: str
    size: int
    """Bytes."""
    looks_like: str = ""
    danger: str = ""
    """Why it must not be opened."""
    about: str = ""


@dataclass(frozen=True)
class LetterDetails(_Kept):
    """Verdicts on a letter, its addresses and its parts."""

    form: str = ""
    from_contact: bool | None = None
    """It came from the ticket's address."""
    protection: str = ""
    encryption_state: str | None = None
    """One of `EncryptionState`."""
    encryption: str = ""
    signatures: tuple[str, ...] = ()
    unprotected_text: str = ""
    attachments: tuple[FileDetails, ...] = ()
    replayed: bool = False
    problems: tuple[str, ...] = ()
    mismatch: tuple[str, ...] = ()
    """Names of header fields that differ from the protected ones."""
    sender: str = ""
    to: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()
    user_text: str = ""
    relayed: tuple[str, ...] = ()
    writer: str | None = None
    inner_message_id: str | None = None
    inner_subject: bool | None = None


def details_of(opened: Opened, *, from_contact: bool = True) -> LetterDetails:
    """Return what is kept of a letter; `from_contact` tells whether it came from the ticket's address."""
    return LetterDetails(
        form=opened.form,
        from_contact=from_contact,
        protection=encryption_words(opened),
        encryption_state=opened.encryption.state.value,
        encryption=opened.encryption.detail,
        signatures=tuple(signature.detail for signature in opened.signatures if signature.detail),
        unprotected_text=opened.unprotected_text,
        attachments=tuple(map(_file, opened.attachments)),
        replayed=opened.is_replayed,
        problems=tuple(opened.problems),
        mismatch=tuple(opened.headers.mismatch),
        sender=opened.headers.sender,
        to=tuple(opened.headers.recipients),
        copies=tuple(opened.headers.copies),
        user_text=opened.whisperback.user_text if opened.whisperback is not None else "",
        relayed=tuple(opened.relayed),
        writer=writer_of(opened),
        inner_message_id=opened.headers.inner_message_id,
        inner_subject=tells_inner_subject(opened),
    )


def _file(attachment: Attachment) -> FileDetails:
    return FileDetails(
        name=attachment.name,
        type=attachment.type,
        size=attachment.size,
        looks_like=attachment.looks_like,
        danger=attachment.danger,
        about=attachment.about,
    )


@dataclass(frozen=True)
class DraftDetails(_Kept):
    """How an answer leaves, and how its preview looks."""

    path: str = "answer"
    """One of `desk.replies.protection.Path`."""
    to: str | None = ""
    """The tag of the address that it was written to; empty where that was not noted."""
    quote: bool = False
    """It quotes the user."""
    encrypted: bool = False
    """Its preview said so."""
    tells_subject: bool = False
    """Its subject is that of the user's letter."""
    waits_for_word: bool = False
    """The hold alone does not send it."""
    hold_seconds: float = 0
    files: tuple[str, ...] = ()
    """A line on each file that leaves with it."""
    fetching: int = 0
    """How many of them are not here yet."""
    facts: str = ""
    """The lines below the state, in its preview."""
    room: int = 0
    """The row of the room that shows the preview; 0 as long as none does."""
    event: str = ""
    """The event that shows it; empty until it has arrived."""
    why: str = ""
    """What made it stand as it stands."""
