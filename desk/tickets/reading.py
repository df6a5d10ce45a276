# SPDX-License-Identifier: AGPL-3.0-or-later
"""What an agent is shown of a ticket: the user's words, and what they are worth."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from desk.letters.opened import Opened
from desk.letters.quoted_text import fold
from desk.outbox.posts import File
from desk.tickets.details import FileDetails, LetterDetails, details_of
from desk.tickets.excerpts import head_of, in_file
from desk.world import Refusal
from storage.models import Message, MessageKind, ReplyState, Ticket
from storage.unit import Unit

_KEY_BEGIN = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
_KEY_END = "-----END PGP PUBLIC KEY BLOCK-----"
# RFC 9580, 6.2: armor headers, base64 and a checksum; and the marks of those who quote it.
_ARMOR_LINE = re.compile(r"[> ]*(?:[A-Za-z0-9+/=]{0,80}|(?:Version|Comment|Charset|Hash): .{0,80})\s*")
_LONGEST_FIELD = 300
_LONGEST_NAME = 100
_MOST_FILES = 10
_OLDER = "\nThe newest words are below; all of them are in the file."
_SYSTEMS_LINES = "--- The whole report, with the lines of the program that wrote it: ---"
_FOLDED = "\nQuotes and signatures are folded; `!show all` shows them."


@dataclass(frozen=True)
class Shown:
    """`text` is ours, `quote` the words of the user, `file` all of them when they are long."""

    text: str
    quote: str
    file: File | None


async def show(unit: Unit, ticket: Ticket, *, whole: bool) -> Shown:
    """Return what the user wrote that nobody has read, or the newest of it, or all that was said.

    What is shown counts as read.
    """
    said = await unit.messages.of(ticket)
    incoming = [message for message in said if message.kind is MessageKind.IN]
    if not incoming:
        raise Refusal(f"There is nothing to read in ticket {ticket.id} (any more).")
    newest = incoming[-1]
    wanted = said if whole else [each for each in incoming if each.id > ticket.read_up_to] or [newest]
    ticket.read_up_to = max(ticket.read_up_to, newest.id)
    if whole:
        alone = [_words(newest.text, LetterDetails.load(newest), folded=False)]
        entries = alone if list(said) == [newest] else [_entry(message, folded=False) for message in said]
        return _newest_of(entries, _head(ticket, newest), ticket)
    words = "\n\n".join(_entry(message, folded=True) for message in wanted)
    if wanted == [newest]:
        words = _words(newest.text, LetterDetails.load(newest), folded=True)
    is_folded = any(fold(message.text or "").text != message.text for message in wanted)
    return _shown(_head(ticket, newest) + (_FOLDED if is_folded else ""), words, ticket)


def _newest_of(entries: Sequence[str], text: str, ticket: Ticket) -> Shown:
    """Show so many of the newest entries as fit into a message; all of them are in the file then."""
    shown = entries[-1]
    for older in reversed(entries[:-1]):
        if head_of(f"{older}\n\n{shown}", "").file is not None:
            break
        shown = f"{older}\n\n{shown}"
    name, everything = f"ticket-{ticket.id}.txt", "\n\n".join(entries)
    head = head_of(shown, name)
    if head.words == everything:
        return Shown(text, everything, None)
    return Shown(f"{text}{_OLDER}", head.words, File(name, everything))


def show_letter(opened: Opened, file_name: str, heading: str) -> Shown:
    """Return what a letter holds that belongs to no ticket, below a line of ours."""
    headers, details = opened.headers, details_of(opened)
    lines = [
        heading,
        f"From: {_field(headers.sender or '(nobody)')}",
        *([f"Reply-To: {_field(headers.reply_to)}"] if headers.reply_to else []),
        f"Subject: {_field(headers.subject or '(none)')}",
        *_worth(details),
    ]
    head = head_of(_words(opened.text, details, folded=False), file_name)
    text = "\n".join(lines)
    return Shown(f"{text}{in_file(head)}", head.words, head.file)


def _shown(text: str, words: str, ticket: Ticket) -> Shown:
    head = head_of(words, f"ticket-{ticket.id}.txt")
    return Shown(f"{text}{in_file(head)}", head.words, head.file)


def _head(ticket: Ticket, message: Message) -> str:
    details = LetterDetails.load(message)
    sender = details.sender
    lines = [
        f"From: {_field(ticket.contact or 'nobody: the user left no address')}",
        *([f"Sent by: {_field(sender)}"] if sender and sender != ticket.contact else []),
        f"Date: {message.at:%Y-%m-%d %H:%M} UTC",
        *_named("To", details.to),
        f"Subject: {_field(message.subject or '(none)')}",
        *_worth(details),
    ]
    return "\n".join(lines)


def _field(value: str, longest: int = _LONGEST_FIELD) -> str:
    """On one line, so that no header can look like a line of ours, nor push one out of sight."""
    line = " ".join(value.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def _worth(details: LetterDetails) -> list[str]:
    """What is known of a message's protection and parts, line by line."""
    warnings = ["this did not come from the ticket's address."] if details.from_contact is False else []
    warnings += details.problems
    warnings += [f"the outer {name} differs from the protected one." for name in details.mismatch]
    return [
        f"Protection: {_field(details.protection)}",
        *(_field(words) for words in (details.encryption, *details.signatures) if words),
        *(_field(words) for words in details.relayed),
        *(f"Attention: {_field(warning)}" for warning in warnings),
        *_copies(details.copies),
        *_files(details.attachments),
    ]


def _named(what: str, addresses: Sequence[str]) -> list[str]:
    if not addresses:
        return []
    named = ", ".join(_field(address, _LONGEST_NAME) for address in addresses[:_MOST_FILES])
    more = f", … and {len(addresses) - _MOST_FILES} more" if len(addresses) > _MOST_FILES else ""
    return [f"{what}: {named}{more}"]


def _copies(addresses: Sequence[str]) -> list[str]:
    return [f"{line} (an answer goes to the user alone)" for line in _named("Cc", addresses)]


def _files(attachments: Sequence[FileDetails]) -> list[str]:
    if not attachments:
        return []
    names = [_file(each) for each in attachments[:_MOST_FILES]]
    more = f", … and {len(attachments) - _MOST_FILES} more" if len(attachments) > _MOST_FILES else ""
    return [f"Attachments: {', '.join(names)}{more}"]


def _file(attachment: FileDetails) -> str:
    said = [_field(attachment.type, _LONGEST_NAME)]
    said += [f"looks like {attachment.looks_like}"] if attachment.looks_like else []
    said += [f"{attachment.size} bytes"]
    said += [attachment.about] if attachment.about else []
    said += [f"DO NOT OPEN: {attachment.danger}"] if attachment.danger else []
    kind = ", ".join(_field(words) for words in said)
    return f"{_field(attachment.name, _LONGEST_NAME)} ({kind})"


def _words(text: str | None, details: LetterDetails, *, folded: bool) -> str:
    unprotected = details.unprotected_text
    said, own = text or "(no text)", details.user_text
    shown = without_keys(fold(said).text if folded else said)
    if own.strip():
        shown = f"{without_keys(own.strip())}\n\n{_SYSTEMS_LINES}\n{shown}"
    if not unprotected:
        return shown
    theirs = _marked("| ", unprotected)
    return f"{shown}\n\n--- NOT encrypted or signed, anybody may have written this: ---\n{theirs}"


def _entry(message: Message, *, folded: bool) -> str:
    """A message among others: its words are set in, so that they cannot pass for the heading of another."""
    author = message.author or "the desk itself"
    who = {
        MessageKind.IN: "The user",
        MessageKind.OUT: f"Answer by {author} ({message.state.value if message.state else ''})",
        MessageKind.NOTE: f"Note by {message.author}",
    }[message.kind]
    details = LetterDetails.load(message) if message.kind is MessageKind.IN else LetterDetails()
    worth = _worth(details) if message.kind is MessageKind.IN else []
    heading = f"=== {who}, {message.at:%Y-%m-%d %H:%M} UTC ==="
    if message.state is ReplyState.CANCELLED:
        return f"{heading}\n  (folded: it never left)"
    return "\n".join((heading, *worth, _marked("  ", _words(message.text, details, folded=folded))))


def _marked(mark: str, words: str) -> str:
    """Every line begins with `mark`, whatever character breaks it."""
    return "\n".join(f"{mark}{line}" for line in words.splitlines())


def without_keys(text: str) -> str:
    """Leave public keys out of what is shown: they are long, and nothing to read."""
    parts, at = [], 0
    while (end := text.find(_KEY_END, at)) >= 0:
        after = end + len(_KEY_END)
        begin = text.rfind(_KEY_BEGIN, at, end)
        if begin >= 0 and _is_armor(text[begin + len(_KEY_BEGIN) : end]):
            parts += [text[at:begin], "[a public key, left out here]"]
        else:
            parts.append(text[at:after])
        at = after
    return "".join((*parts, text[at:]))


def _is_armor(text: str) -> bool:
    """Whether this is a key, and no words that somebody hides between its marks."""
    return all(_ARMOR_LINE.fullmatch(line) for line in text.split("\n"))
