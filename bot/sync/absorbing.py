# SPDX-License-Identifier: AGPL-3.0-or-later
"""Give nio what it needs of a sync: keys, members, encryption; and tell what the keys were for."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import structlog
from nio import AsyncClient, ForwardedRoomKeyEvent, RoomKeyEvent, SyncResponse, ToDeviceEvent

from bot.errors import KeyStoreTrouble, TryLater
from bot.events.events import Membership, Tombstone, Withheld, is_event

log = structlog.get_logger()

Json = dict[str, Any]

STATE = ("m.room.create", "m.room.encryption", "m.room.member", "m.room.power_levels")
WITHHELD = ("m.room_key.withheld", "org.matrix.room_key.withheld")


@dataclass(frozen=True)
class ArrivedKeys:
    """(room, session) of the keys that came, and refusals to give one."""

    sessions: frozenset[tuple[str, str]] = frozenset()
    withheld: tuple[Withheld, ...] = ()


async def absorb(client: AsyncClient, sync: Json) -> ArrivedKeys:
    """Update nio's keys, rooms and lists of users to ask about."""
    # In one transaction: nio's own, killed between them, would use a one-time key up for a message and not
    # keep what was in it, and the message opens no second time.
    with client.store.database.atomic():
        brought = _take_keys(client, sync.get("to_device", {}).get("events", []))
    for room_id in sync.get("rooms", {}).get("leave", {}):
        client.rooms.pop(room_id, None)
    response = SyncResponse.from_dict(_state_only(sync))
    if not isinstance(response, SyncResponse):
        raise TryLater("The homeserver's answer is no sync.")
    client.next_batch = ""  # otherwise nio skips a response whose token it has seen
    await client.receive_response(response)
    return brought


def known_sessions(client: AsyncClient) -> frozenset[tuple[str, str]]:
    """(room, session) of all keys that are here."""
    return frozenset((session.room_id, session.id) for session in client.olm.inbound_group_store)


def was(source: Json) -> str | None:
    """The membership before this membership event, if the homeserver tells."""
    before = source.get("unsigned", {}).get("prev_content")
    found = before.get("membership") if isinstance(before, dict) else None
    return found if isinstance(found, str) else None


def is_own_join(source: Json, own_id: str) -> bool:
    """Whether we came into the room by this event; a new display name is a join after a join."""
    return (
        source.get("type") == "m.room.member"
        and source.get("state_key") == own_id
        and source["content"].get("membership") == "join"
        and was(source) != "join"
    )


def touched_rooms(sync: Json) -> Iterator[tuple[str, Json]]:
    """Rooms with something new: those we are in, and those we had to leave."""
    rooms = sync.get("rooms", {})
    yield from rooms.get("join", {}).items()
    yield from rooms.get("leave", {}).items()


def invitations(sync: Json, own_id: str) -> tuple[Membership, ...]:
    """Invitations to us, with who sent them."""
    found = []
    for room_id, room in sync.get("rooms", {}).get("invite", {}).items():
        for source in room.get("invite_state", {}).get("events", []):
            mine = source.get("type") == "m.room.member" and source.get("state_key") == own_id
            if mine and isinstance(source.get("sender"), str):
                found.append(Membership(room_id, own_id, "invite", source["sender"]))
    return tuple(found)


def tombstones(sync: Json) -> tuple[Tombstone, ...]:
    """Rooms that were replaced: just now or, in the first sync of a process, at any time."""
    return tuple(
        Tombstone(room_id)
        for room_id, room in sync.get("rooms", {}).get("join", {}).items()
        if any(
            is_event(source) and source["type"] == "m.room.tombstone" and source.get("state_key") == ""
            for section in ("state", "timeline")
            for source in room.get(section, {}).get("events", ())
        )
    )


def _take_keys(client: AsyncClient, messages: list[Json]) -> ArrivedKeys:
    sessions = set()
    withheld = []
    for message in messages:
        try:
            event = ToDeviceEvent.parse_event(message)
            opened = client.olm.handle_to_device_event(event) if event else None
        except KeyStoreTrouble:
            raise
        except Exception as error:  # noqa: BLE001  (one odd message must not stop the others)
            log.warning("to-device-unreadable", error=type(error).__name__)
            continue
        if isinstance(opened, RoomKeyEvent | ForwardedRoomKeyEvent):
            sessions.add((opened.room_id, opened.session_id))
        if message.get("type") in WITHHELD:
            withheld.append(_withheld(message))
    return ArrivedKeys(frozenset(sessions), tuple(withheld))


def _withheld(message: Json) -> Withheld:
    content = message.get("content")
    content = content if isinstance(content, dict) else {}
    room_id, session_id, code = (str(content.get(name, "")) for name in ("room_id", "session_id", "code"))
    return Withheld(str(message.get("sender", "")), room_id, session_id, code)


def _state_only(sync: Json) -> Json:
    """The sync without all that nio need not see: it checks every event against a schema, which is slow."""
    rooms = {
        room_id: {
            "state": {"events": _needed(room.get("state", {}))},
            "timeline": {"events": _needed(room.get("timeline", {})), "limited": False},
            "summary": room.get("summary", {}),
        }
        for room_id, room in sync.get("rooms", {}).get("join", {}).items()
    }
    kept = ("next_batch", "device_lists", "device_one_time_keys_count")
    return {**{name: sync[name] for name in kept if name in sync}, "rooms": {"join": rooms}}


def _needed(section: Json) -> list[Json]:
    return [
        source
        for source in section.get("events", [])
        if is_event(source) and source["type"] in STATE and "state_key" in source
    ]
