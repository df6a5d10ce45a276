# SPDX-License-Identifier: AGPL-3.0-or-later
"""Decrypt single events; nothing that somebody sends can stop the bot here."""

from dataclasses import dataclass
from typing import Any

import structlog
from nio import AsyncClient, Event, MegolmEvent
from vodozemac import MegolmMessage

from bot.events.events import is_event

log = structlog.get_logger()

Json = dict[str, Any]


@dataclass(frozen=True)
class Clear:
    """An event's JSON in clear, and how it came."""

    source: Json
    decrypted: bool
    verified: bool
    place: str = ""
    """Where its words stand: room, sender's key, session and index. No other event may stand there."""


@dataclass(frozen=True)
class Closed:
    """An event that cannot be read; with `key_missing` its key may still come."""

    session_id: str
    key_missing: bool
    place: str = ""
    """Where its words claim to stand, if its key may still come."""
    replayed: bool = False
    """The words of another event that was opened before."""


def open_event(client: AsyncClient, room_id: str, source: Json) -> Clear | Closed:
    """Decrypt an event if it is encrypted.

    nio is given encrypted events one by one, here and nowhere else: within a sync response a payload of odd
    shape raises and would take the whole response with it, again at each try.
    """
    content = source.get("content", {})
    # Without a ciphertext it was redacted: an event of no kind that anybody heeds.
    if source.get("type") != "m.room.encrypted" or "ciphertext" not in content or "state_key" in source:
        return Clear(source, decrypted=False, verified=False)
    session_id = content.get("session_id") if isinstance(content.get("session_id"), str) else ""
    try:
        event = Event.parse_event(source)
        if not isinstance(event, MegolmEvent):
            return Closed(session_id, key_missing=False)
        event.room_id = room_id
        return _decrypt(client, event)
    except Exception as error:  # noqa: BLE001  (any shape of payload can come from outside)
        log.warning("event-unreadable", event_id=source.get("event_id"), error=type(error).__name__)
        return Closed(session_id, key_missing=False)


def _decrypt(client: AsyncClient, event: MegolmEvent) -> Clear | Closed:
    session = client.olm.inbound_group_store.get(event.room_id, event.sender_key, event.session_id)
    if session is None:
        client.olm.check_if_wedged(event)
        index = MegolmMessage.from_base64(event.ciphertext).message_index()
        return Closed(event.session_id, key_missing=True, place=_place(event, index))
    _, index = session.decrypt(event.ciphertext)
    # nio remembers what it has opened until the process ends.
    if not client.olm.message_index_ok(index, event):
        return Closed(event.session_id, key_missing=False, replayed=True)
    found = client.decrypt_event(event)
    if not is_event(found.source):
        return Closed(event.session_id, key_missing=False)
    verified = bool(getattr(found, "verified", False))
    return Clear(found.source, decrypted=True, verified=verified, place=_place(event, index))


def _place(event: MegolmEvent, index: int) -> str:
    return f"{event.room_id} {event.sender_key} {event.session_id} {index}"
