# SPDX-License-Identifier: AGPL-3.0-or-later
"""What an agent is shown of a ticket: the user's words, and what they are worth."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from desk.posting import File
from desk.world import Refusal
from storage.models import Message, Ticket
from storage.states import MessageKind
from storage.unit import Unit

_KEY_BEGIN = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
_KEY_END = "-----END PGP PUBLIC KEY BLOCK-----"
HEAD_LINES = 40
HEAD_CHARS = 4_000


@dataclass(frozen=True)
class Shown:
    """`text` is ours, `quote` the words of the user, `file` all of them when they are long."""

    text: str
    quote: str
    file: File | None


async def show(unit: Unit, ticket: Ticket, *, whole: bool) -> Shown:
    """Return the newest message of the user, or all that was said; what is shown counts as read."""
    said = await unit.messages.of(ticket)
    incoming = [message for message in said if message.kind is MessageKind.IN]
    if not incoming:
        raise Refusal(f"There is nothing to read in ticket {ticket.id} (any more).")
    newest = incoming[-1]
    ticket.read_up_to = max(ticket.read_up_to, newest.id)
    if whole:
        return _shown(_head(ticket, newest), "\n\n".join(_entry(message) for message in said), ticket)
    return _shown(_head(ticket, newest), _words(newest), ticket)


def _shown(text: str, words: str, ticket: Ticket) -> Shown:
    head = "\n".join(words.split("\n")[:HEAD_LINES])[:HEAD_CHARS]
    if head == words:
        return Shown(text, words, None)
    missing = len(words) - len(head)
    return Shown(
        f"{text}\n({missing} more characters are in the file below.)",
        head,
        File(f"ticket-{ticket.id}.txt", words),
    )


def _head(ticket: Ticket, message: Message) -> str:
    details: dict[str, Any] = json.loads(message.details or "{}")
    lines = [
        f"From: {ticket.contact or 'nobody: the user left no address'}",
        *_ELSEWHERE[details.get("from_contact", True)],
        f"Subject: {message.subject or '(none)'}",
        f"Protection: {details.get('protection', '')}",
        *_more(details),
    ]
    return "\n".join(lines)


_ELSEWHERE = {True: (), False: ("Attention: this did not come from the ticket's address.",)}


def _more(details: dict[str, Any]) -> Sequence[str]:
    said = [text for text in (details.get("encryption"), *details.get("signatures", [])) if text]
    said += [f"Attention: {problem}" for problem in details.get("problems", [])]
    said += [
        f"Attention: the outer {name} differs from the protected one." for name in details.get("mismatch", [])
    ]
    files = [
        f"{each['name']} ({each['type']}, {each['size']} bytes)" for each in details.get("attachments", [])
    ]
    return [*said, f"Attachments: {', '.join(files)}"] if files else said


def _words(message: Message) -> str:
    unprotected = json.loads(message.details or "{}").get("unprotected_text", "")
    text = _fold_keys(message.text or "(no text)")
    if not unprotected:
        return text
    return f"{text}\n\n--- NOT encrypted or signed, anybody may have written this: ---\n{unprotected}"


def _entry(message: Message) -> str:
    who = {
        MessageKind.IN: "The user",
        MessageKind.OUT: f"Answer by {message.author} ({message.state.value if message.state else ''})",
        MessageKind.NOTE: f"Note by {message.author}",
    }[message.kind]
    return f"=== {who}, {message.at:%Y-%m-%d %H:%M} UTC ===\n{_words(message)}"


def _fold_keys(text: str) -> str:
    """Leave public keys out of what is shown: they are long, kept elsewhere, and nothing to read."""
    parts, at = [], 0
    while (begin := text.find(_KEY_BEGIN, at)) >= 0 and (end := text.find(_KEY_END, begin)) >= 0:
        parts += [text[at:begin], "[a public key; it is kept]"]
        at = end + len(_KEY_END)
    return "".join((*parts, text[at:]))
