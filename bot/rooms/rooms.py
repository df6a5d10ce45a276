# SPDX-License-Identifier: AGPL-3.0-or-later
"""Make, find, people and leave rooms; all of them private and encrypted."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal

import structlog
from nio import AsyncClient, RoomForgetResponse

from bot.errors import Rejected
from bot.http.wire import Json, exchange, path, request

log = structlog.get_logger()

MARKER = "org.helproom.room"
# Specification, "Room IDs": at most 255 bytes. They stand in what the bot says, so that nothing else may.
_ROOM_ID = re.compile(r"![A-Za-z0-9._~/+=:\[\]-]{1,254}")
ALGORITHM = "m.megolm.v1.aes-sha2"
OWNER = 100
AGENT = 50
CREATORS_OUTRANK = 12
"""From this room version on creators have unlimited power and must not be listed (MSC4289)."""


@dataclass(frozen=True)
class RoomPlan:
    """What a room is to be. `ref` finds it again and is seen by its members: it must say nothing."""

    ref: str
    name: str
    topic: str = ""
    invite: tuple[str, ...] = ()
    powers: Mapping[str, int] = field(default_factory=dict)
    """User to power level, apart from the bot's own."""
    version: str = "11"
    federate: bool = True
    history: Literal["joined", "invited"] = "invited"


@dataclass(frozen=True)
class Member:
    """Somebody in a room; `by` is who invited them, or they themselves."""

    user_id: str
    membership: str
    """"invite", "join" or "knock"."""
    by: str


class Rooms:
    """The bot's rooms on the homeserver. Methods raise TryLater, Rejected or SessionGone."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    @property
    def own_id(self) -> str:
        """The bot's full Matrix user id."""
        return str(self._client.user_id)

    async def open_room(self, plan: RoomPlan) -> str:
        """The room of this plan: the one an earlier, crashed try has made, or a new one."""
        return await self.find_room(plan.ref) or await self.create_room(plan)

    async def create_room(self, plan: RoomPlan) -> str:
        """Make a new room at once; creating has no transaction id, so see `open_room`."""
        answer = await request(
            self._client, "POST", path("createRoom"), _creation(plan, self._client.user_id)
        )
        return str(answer["room_id"])

    async def find_room(self, ref: str) -> str | None:
        """The joined room that was created with this ref."""
        for room_id in await self.joined_rooms():
            created = await self.state(room_id, "m.room.create")
            if created.get(MARKER) == ref:
                return room_id
        return None

    async def profile(self) -> Json:
        """The bot's own display name and picture."""
        try:
            return await request(self._client, "GET", path("profile", self.own_id))
        except Rejected as error:
            if error.code == "M_NOT_FOUND":
                return {}
            raise

    async def set_profile(self, part: str, value: str) -> None:
        """Set "displayname" or "avatar_url"."""
        await request(self._client, "PUT", path("profile", self.own_id, part), {part: value})

    async def upload_picture(self, png: bytes) -> str:
        """Put a picture on the homeserver, in clear; return its address there."""
        where = "/_matrix/media/v3/upload"
        answer = await request(self._client, "POST", where, png, media_type="image/png")
        return str(answer["content_uri"])

    async def joined_rooms(self) -> tuple[str, ...]:
        """Ids of all rooms the bot is in."""
        answer = await request(self._client, "GET", path("joined_rooms"))
        return tuple(answer.get("joined_rooms", ()))

    async def members(self, room_id: str) -> tuple[Member, ...]:
        """Those who are in the room, invited to it, or ask to be let in."""
        where = path("rooms", room_id, "members", query={"not_membership": "leave"})
        answer = await request(self._client, "GET", where)
        found = (
            Member(
                str(event.get("state_key", "")),
                str(event.get("content", {}).get("membership", "")),
                str(event.get("sender", "")),
            )
            for event in answer.get("chunk", ())
        )
        return tuple(member for member in found if member.membership in ("invite", "join", "knock"))

    async def present(self, room_id: str) -> tuple[str, ...]:
        """User ids of those who are in the room or invited to it."""
        return tuple(
            member.user_id
            for member in await self.members(room_id)
            if member.membership in ("invite", "join")
        )

    async def exists(self, user_id: str) -> bool:
        """Whether the homeserver knows this user; one that does not tell is believed to know them."""
        answer = await exchange(self._client, "GET", path("profile", user_id))
        # Which code goes with it differs (Synapse 1.163: M_UNKNOWN); without any, a proxy says it.
        return not (answer.status == HTTPStatus.NOT_FOUND and answer.code)

    async def join(self, room_id: str) -> None:
        """Join a room to which we are invited, or stay in it."""
        await request(self._client, "POST", path("rooms", room_id, "join"), {})

    async def invite(self, room_id: str, user_id: str) -> None:
        """Invite a user; one who is invited or there already is left as is."""
        if not await self.is_present(room_id, user_id):
            await request(self._client, "POST", path("rooms", room_id, "invite"), {"user_id": user_id})

    async def is_present(self, room_id: str, user_id: str) -> bool:
        """Whether a user is invited or there already."""
        present = await self.state(room_id, "m.room.member", user_id)
        return present.get("membership") in ("invite", "join")

    async def kick(self, room_id: str, user_id: str) -> None:
        """Remove a user or take an invitation back; nothing happens when they are gone."""
        present = await self.state(room_id, "m.room.member", user_id)
        if present.get("membership") in ("invite", "join", "knock"):
            await request(self._client, "POST", path("rooms", room_id, "kick"), {"user_id": user_id})

    async def set_powers(self, room_id: str, powers: Mapping[str, int]) -> None:
        """Give users these power levels and keep everybody else's."""
        levels = await self.state(room_id, "m.room.power_levels")
        users = {**levels.get("users", {}), **powers}
        if users != levels.get("users"):
            where = path("rooms", room_id, "state", "m.room.power_levels", "")
            await request(self._client, "PUT", where, {**levels, "users": users})

    async def keep_invitations(self, room_id: str, members: Collection[str]) -> bool:
        """Let only the bot and its equals invite, and take their power from those who do not belong.

        Return whether it is so now: a bot with less power would shut itself out.
        """
        levels = await self.state(room_id, "m.room.power_levels")
        users = {
            user: power
            for user, power in levels.get("users", {}).items()
            if user in members or user == self.own_id or level_of(power) >= OWNER
        }
        mended = {**levels, "users": users, "invite": max(OWNER, level_of(levels.get("invite", 0)))}
        if mended == levels:
            return True
        created = await self.state(room_id, "m.room.create")
        if await self._own_power(room_id, created, levels) < OWNER:
            return level_of(levels.get("invite", 0)) >= OWNER
        where = path("rooms", room_id, "state", "m.room.power_levels", "")
        await request(self._client, "PUT", where, mended)
        return True

    async def replacement(self, room_id: str) -> str | None:
        """The room that has taken this one's place, as its tombstone says."""
        named = (await self.state(room_id, "m.room.tombstone")).get("replacement_room")
        return named if isinstance(named, str) and _ROOM_ID.fullmatch(named) else None

    async def is_ended(self, room_id: str) -> bool:
        """Whether a tombstone stands in the room."""
        return bool(await self.state(room_id, "m.room.tombstone"))

    async def predecessor(self, room_id: str) -> str | None:
        """The room whose place this one has taken, as it says itself."""
        before = (await self.state(room_id, "m.room.create")).get("predecessor")
        named = before.get("room_id") if isinstance(before, dict) else None
        return named if isinstance(named, str) else None

    async def put_state(self, room_id: str, kind: str, content: Json) -> None:
        """Set a state event, such as the room's name."""
        await request(self._client, "PUT", path("rooms", room_id, "state", kind, ""), content)

    async def accept_invite(self, room_id: str, sender: str, allowed: Collection[str]) -> bool:
        """Join when one of `allowed` asks, decline otherwise; return whether we joined."""
        if sender not in allowed:
            await self.leave(room_id)
            return False
        await self.join(room_id)
        return True

    async def leave(self, room_id: str) -> None:
        """Leave a room and forget it, on the homeserver and here; works again after a crash in between."""
        for step in ("leave", "forget"):
            try:
                await request(self._client, "POST", path("rooms", room_id, step), {})
            except Rejected:
                log.info("room-already-left", room=room_id, step=step)
        await self._client.receive_response(RoomForgetResponse(room_id))

    async def missing_rights(self, room_id: str) -> tuple[str, ...]:
        """What keeps the bot from its work in this room, in sentences; empty when all is well."""
        if room_id not in await self.joined_rooms():
            return ("The bot is not in the room: invite it.",)
        encryption = await self.state(room_id, "m.room.encryption")
        joining = await self.state(room_id, "m.room.join_rules")
        history = await self.state(room_id, "m.room.history_visibility")
        missing = [
            ("The room is not encrypted.", encryption.get("algorithm") == ALGORITHM),
            ("Anybody may join: set it to invited people only.", joining.get("join_rule") == "invite"),
            (
                "Newcomers can read what was said before they were invited.",
                history.get("history_visibility") in ("invited", "joined"),
            ),
        ]
        missing += await self._missing_powers(room_id)
        return tuple(sentence for sentence, is_well in missing if not is_well)

    async def _missing_powers(self, room_id: str) -> list[tuple[str, bool]]:
        created = await self.state(room_id, "m.room.create")
        levels = await self.state(room_id, "m.room.power_levels")
        mine = await self._own_power(room_id, created, levels)
        default = levels.get("state_default", AGENT)
        wanted = {
            "The bot may not invite.": levels.get("invite", 0),
            "The bot may not remove people.": levels.get("kick", AGENT),
            "The bot may not redact.": levels.get("redact", AGENT),
            "The bot may not change power levels.": levels.get("events", {}).get(
                "m.room.power_levels", default
            ),
            "The bot may not send messages.": levels.get("events", {}).get(
                "m.room.encrypted", levels.get("events_default", 0)
            ),
        }
        return [(sentence, mine >= level_of(level)) for sentence, level in wanted.items()]

    async def _own_power(self, room_id: str, created: Json, levels: Json) -> float:
        """Our power level; nio does not know that creators of newer rooms outrank all (MSC4289)."""
        if _creators_outrank(str(created.get("room_version", "1"))):
            where = path("rooms", room_id, "state", "m.room.create", "", query={"format": "event"})
            creator = (await request(self._client, "GET", where)).get("sender")
            if self._client.user_id in (creator, *created.get("additional_creators", ())):
                return float("inf")
        return level_of(levels.get("users", {}).get(self._client.user_id, levels.get("users_default", 0)))

    async def state(self, room_id: str, kind: str, key: str = "") -> Json:
        """The content of a state event, empty when there is none."""
        try:
            return await request(self._client, "GET", path("rooms", room_id, "state", kind, key))
        except Rejected as error:
            if error.code in ("M_NOT_FOUND", "M_FORBIDDEN"):
                return {}
            raise


def level_of(value: object) -> int:
    """Return a power level; 0 for what is none. Old room versions allow it as a string of digits."""
    try:
        return int(value)  # type: ignore[call-overload, no-any-return]  # whatever a homeserver sends
    except (TypeError, ValueError, OverflowError):
        return 0


def _creators_outrank(version: str) -> bool:
    return version.isdecimal() and int(version) >= CREATORS_OUTRANK


def _creation(plan: RoomPlan, own_id: str) -> Json:
    """The body of createRoom. Ordinary users can speak and react; all else needs an agent or the bot."""
    own = {} if _creators_outrank(plan.version) else {own_id: OWNER}
    body: Json = {
        "visibility": "private",
        "preset": "private_chat",
        "room_version": plan.version,
        "name": plan.name,
        "invite": list(plan.invite),
        "creation_content": {MARKER: plan.ref, "m.federate": plan.federate},
        "initial_state": [
            _state_event("m.room.encryption", {"algorithm": ALGORITHM}),
            _state_event("m.room.join_rules", {"join_rule": "invite"}),
            _state_event("m.room.history_visibility", {"history_visibility": plan.history}),
            _state_event("m.room.guest_access", {"guest_access": "forbidden"}),
        ],
        "power_level_content_override": {
            "users": {**plan.powers, **own},
            "users_default": 0,
            "events_default": 0,
            "state_default": OWNER,
            "invite": OWNER,
            "kick": AGENT,
            "ban": AGENT,
            "redact": AGENT,
            "notifications": {"room": OWNER},
            "events": {"m.room.name": AGENT, "m.room.topic": AGENT},
        },
    }
    return {**body, "topic": plan.topic} if plan.topic else body


def _state_event(kind: str, content: Json) -> Json:
    return {"type": kind, "state_key": "", "content": content}
