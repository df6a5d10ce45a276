# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the bot takes from a sync, as values; and which events it does not listen to."""

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any

from bot.events.pills import pills_in
from commands.event import EventKind, Json, RoomEvent

# Specification, "Event IDs": at most 255 bytes. No database takes NUL or half of a surrogate pair.
_EVENT_ID = re.compile(r"\$[^\s\x00-\x1f\x7f\ud800-\udfff]{1,254}")
FILES = frozenset({"m.file", "m.image", "m.video", "m.audio"})


@dataclass(frozen=True)
class Undecryptable:
    """An encrypted event we cannot read; `key_missing` tells whether a key may still come."""

    event_id: str
    room_id: str
    sender: str
    session_id: str
    sent_at: dt.datetime
    key_missing: bool = True
    place: str = ""
    """Where its words claim to stand, which only its key can prove."""
    thread_root: str | None = None
    """Relations stand outside what is encrypted."""
    edits: str | None = None


@dataclass(frozen=True)
class Withheld:
    """Somebody's client told us that it keeps a key from us (m.room_key.withheld), and why."""

    sender: str
    room_id: str
    session_id: str
    code: str


@dataclass(frozen=True)
class Membership:
    """Somebody was invited, came, left or was banned; `user_id` may be our own."""

    room_id: str
    user_id: str
    membership: str
    """"invite", "join", "leave", "ban" or "knock"."""
    sender: str
    event_id: str | None = None
    """None for an invitation to us, which comes without one."""
    sent_at: dt.datetime | None = None


@dataclass(frozen=True)
class Tombstone:
    """A room says that another one has taken its place; it is asked which when that is acted on."""

    room_id: str


@dataclass(frozen=True)
class Batch:
    """All that one sync brought, to be kept in one transaction with its token."""

    token: str
    heard: tuple[RoomEvent, ...] = ()
    undecryptable: tuple[Undecryptable, ...] = ()
    memberships: tuple[Membership, ...] = ()
    withheld: tuple[Withheld, ...] = ()
    tombstones: tuple[Tombstone, ...] = ()
    gaps: tuple[str, ...] = ()
    """Rooms in which more happened while we were away than can be paged back, or read."""
    replayed: tuple[str, ...] = ()
    """Events with the words of others that were opened before."""
    recovered: bool = False
    """Without a token: what is in it was looked for in the rooms, and may be old."""


def is_event(source: object) -> bool:
    """Whether it has what every event must have (client-server API, "Room event format")."""
    return (
        isinstance(source, dict)
        and all(isinstance(source.get(name), str) for name in ("event_id", "sender", "type"))
        and isinstance(source.get("content"), dict)
    )


def is_heeded(source: Json, own_id: str) -> bool:
    """Whether an event in clear text is for us: not our own words, no notice of another bot."""
    content = source.get("content", {})
    if source.get("sender") == own_id:
        return False
    if source.get("type") == "m.room.message":
        return content.get("msgtype") not in (None, "m.notice")
    return source.get("type") in ("m.reaction", "m.room.redaction")


def relation(content: Json) -> Json:
    """The m.relates_to of an event's content; empty when there is none worth the name."""
    found = content.get("m.relates_to")
    return found if isinstance(found, dict) else {}


def read_event(
    source: Json, room_id: str, *, decrypted: bool, verified: bool, late: bool = False
) -> RoomEvent | None:
    """Make a value of an event's JSON, or None when it is not shaped as it should be."""
    content = source.get("content", {})
    kind = {
        "m.room.message": EventKind.MESSAGE,
        "m.reaction": EventKind.REACTION,
        "m.room.redaction": EventKind.REDACTION,
    }.get(source.get("type", ""))
    if kind is None:
        return None
    target = _target(kind, source)
    if kind is not EventKind.MESSAGE and target is None:
        return None
    edits = edited(content) if kind is EventKind.MESSAGE else None
    if edits is not None:
        content = content.get("m.new_content")
        if not isinstance(content, dict) or content.get("msgtype") == "m.notice":
            return None
    mentions = content.get("m.mentions")
    mentions = mentions if isinstance(mentions, dict) else {}
    return RoomEvent(
        event_id=source["event_id"],
        room_id=room_id,
        sender=source["sender"],
        kind=kind,
        sent_at=moment(source),
        body=_own_words(content, quotes=_quotes(content, target, edited=edits is not None))
        if kind is EventKind.MESSAGE
        else "",
        msgtype=_text(content.get("msgtype")) if kind is EventKind.MESSAGE else "",
        thread_root=thread_root(content) if edits is None else None,
        relates_to=target,
        edits=edits,
        is_file=kind is EventKind.MESSAGE and _text(content.get("msgtype")) in FILES,
        key=_text(relation(content).get("key")) if kind is EventKind.REACTION else "",
        mentions=tuple(user for user in _list(mentions.get("user_ids")) if isinstance(user, str)),
        pills=pills_in(_text(content.get("formatted_body"))),
        mentions_room=mentions.get("room") is True,
        decrypted=decrypted,
        verified=verified,
        late=late,
    )


def moment(source: Json) -> dt.datetime:
    """origin_server_ts as an aware time; nonsense becomes the nearest time that exists."""
    stamp = source.get("origin_server_ts")
    milliseconds = stamp if isinstance(stamp, int) else 0
    # 2^53 - 1 is JSON's largest safe integer; datetime ends in the year 9999.
    return dt.datetime.fromtimestamp(min(max(milliseconds, 0), 253_402_300_799_000) / 1000, dt.UTC)


def _target(kind: EventKind, source: Json) -> str | None:
    content = source.get("content", {})
    related = relation(content)
    if kind is EventKind.REDACTION:
        # Room version 11 moved `redacts` into the content.
        return _event_id(source.get("redacts") or content.get("redacts"))
    if kind is EventKind.REACTION:
        return _event_id(related.get("event_id"))
    reply = related.get("m.in_reply_to")
    # A thread's fallback reply is there for old clients and no reply of a person (MSC3440).
    if not isinstance(reply, dict) or related.get("is_falling_back") is True:
        return None
    return _event_id(reply.get("event_id"))


def edited(content: Json) -> str | None:
    """The event whose words these replace (MSC2676); None when it is no edit."""
    related = relation(content)
    return _event_id(related.get("event_id")) if related.get("rel_type") == "m.replace" else None


def thread_root(content: Json) -> str | None:
    """The root of the thread in which an event stands."""
    related = relation(content)
    return _event_id(related.get("event_id")) if related.get("rel_type") == "m.thread" else None


def _quotes(content: Json, target: str | None, *, edited: bool) -> bool:
    """Whether a client has put the words that are answered before the answer; an edit tells no target."""
    body = _text(content.get("body"))
    return body.startswith("> ") if target is not None else edited and body.startswith(("> <@", "> * <@"))


def _own_words(content: Json, *, quotes: bool) -> str:
    """What its sender wrote: of a file the caption, which it has when its name stands apart (MSC2530)."""
    body = _text(content.get("body"))
    name = content.get("filename")
    if _text(content.get("msgtype")) in FILES and (not isinstance(name, str) or name == body):
        return ""
    if not quotes:
        return body
    lines = body.split("\n")
    quoted = next((at for at, line in enumerate(lines) if not line.startswith(">")), len(lines))
    return "\n".join(lines[quoted:]).removeprefix("\n")


def _event_id(value: object) -> str | None:
    """An event's id; None for what cannot be one, and no database might take."""
    return value if isinstance(value, str) and _EVENT_ID.fullmatch(value) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
