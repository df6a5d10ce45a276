# SPDX-License-Identifier: AGPL-3.0-or-later
"""Contents of the events the bot sends. Every one says whom it mentions, so that quoted words ping nobody."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.sending.rendering import Rendered

Json = dict[str, Any]

MARKER = "org.helproom.ref"
LARGEST = 46 * 1024
"""Bytes: encryption makes content a third larger, and an event has 64 KiB (specification, "Size limits")."""


@dataclass(frozen=True)
class StoredFile:
    """An encrypted file on the homeserver: where it is, how it is opened, and what it is."""

    name: str
    mimetype: str
    size: int
    url: str
    opening: Json
    """JWK, initialisation vector and hash (client-server API, "Sending encrypted attachments")."""


def notice(said: Rendered, *, mentions: Sequence[str] = ()) -> Json:
    """What the bot says in its own voice; notices alert nobody."""
    return _message("m.notice", said, mentions)


def text(said: Rendered, *, mentions: Sequence[str] = ()) -> Json:
    """A message that alerts those it mentions; for pings only."""
    return _message("m.text", said, mentions)


def file(stored: StoredFile) -> Json:
    """A file whose key travels in the encrypted event."""
    return {
        "msgtype": "m.file",
        "body": stored.name,
        "filename": stored.name,
        "info": {"mimetype": stored.mimetype, "size": stored.size},
        "file": {**stored.opening, "url": stored.url},
        "m.mentions": {},
    }


def image(stored: StoredFile, size: tuple[int, int] | None) -> Json:
    """A picture that clients show; `size` is its width and height in pixels."""
    shown = {} if size is None else {"w": size[0], "h": size[1]}
    content = file(stored)
    return {**content, "msgtype": "m.image", "info": {**content["info"], **shown}}


def in_thread(content: Json, root: str, *, reply_to: str | None = None) -> Json:
    """The content as part of a thread; clients without threads show it as a reply (MSC3440)."""
    relation = {
        "rel_type": "m.thread",
        "event_id": root,
        "is_falling_back": reply_to is None,
        "m.in_reply_to": {"event_id": reply_to or root},
    }
    return {**content, "m.relates_to": relation}


def in_reply(content: Json, event_id: str) -> Json:
    """The content as an answer to one event, outside any thread."""
    return {**content, "m.relates_to": {"m.in_reply_to": {"event_id": event_id}}}


def edit(content: Json, event_id: str) -> Json:
    """Replace an earlier event of ours by this content (MSC2676); mentions nobody anew."""
    outer = {**content, "body": f"* {content['body']}", "m.mentions": {}}
    if "formatted_body" in content:
        outer["formatted_body"] = f"* {content['formatted_body']}"
    return {
        **outer,
        "m.new_content": content,
        "m.relates_to": {"rel_type": "m.replace", "event_id": event_id},
    }


def reaction(event_id: str, key: str) -> Json:
    """A reaction; it travels in clear, so that the key must say nothing."""
    return {"m.relates_to": {"rel_type": "m.annotation", "event_id": event_id, "key": key}}


def fits(content: Json) -> bool:
    """Whether the content, encrypted, stays below the size limit of events."""
    # nio escapes what is not ASCII before it encrypts, so a letter may count six bytes.
    return len(json.dumps(content)) <= LARGEST


def _message(msgtype: str, said: Rendered, mentions: Sequence[str]) -> Json:
    content: Json = {
        "msgtype": msgtype,
        "body": said.body,
        "m.mentions": {"user_ids": list(mentions)} if mentions else {},
    }
    if said.formatted_body:
        content |= {"format": "org.matrix.custom.html", "formatted_body": said.formatted_body}
    return content
