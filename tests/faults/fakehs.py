# SPDX-License-Identifier: AGPL-3.0-or-later
"""A homeserver of a few rooms that misbehaves as told, and remembers what was really done to it.

    async with FakeHomeserver() as server:
        server.script(Fault.TOO_MANY, "PUT", "/send/", times=2, retry_after=5)

Faults apply in the order they were scripted, each to the next requests that match. Encryption works: one-time
keys, to-device messages and cross-signing keys are passed on as they come, checked by nobody.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import unquote

from aiohttp import web

from tests.faults.fakekeys import KeyStore
from tests.faults.faults import Fault, Rule, faulty
from tests.faults.profiles import Profiles

__all__ = ["FakeHomeserver", "Fault"]

Json = dict[str, Any]
CLIENT = "/_matrix/client/v3"
EPOCH = 1_760_000_000_000


@dataclass
class Entry:
    """One thing that happened, in the order of happening; sync tokens count these."""

    kind: str
    where: str
    """Room id, user id, or "user device"."""
    what: Json = field(default_factory=dict)


class FakeHomeserver:
    """Use as an async context manager; `url` is its address on loopback."""

    def __init__(self, server_name: str = "fake.test") -> None:
        self.server_name = server_name
        self.url = ""
        self.requests: list[tuple[str, str]] = []
        """Method and path of every request, also of those that met a fault."""
        self.log: list[Entry] = []
        self.keys = KeyStore()
        self.state: dict[str, dict[tuple[str, str], Json]] = {}
        self._rules: list[Rule] = []
        self._tokens: dict[str, tuple[str, str]] = {}
        self._done: dict[tuple[str, str, str], str] = {}
        self._news = asyncio.Condition()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._misbehave], client_max_size=2**27)
        for method, where, answer in self._routes():
            app.router.add_route(method, where, answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def script(self, fault: Fault, method: str, path: str, **how: Any) -> Rule:
        """Let the next `times` requests with this method and path (searched as a pattern) meet a fault."""
        rule = Rule(fault, method, path, **how)
        self._rules.append(rule)
        return rule

    def sent(self, room_id: str, kind: str | None = None) -> list[Json]:
        """Events really made in a room, in order; of one type if asked."""
        events = [entry.what for entry in self.log if (entry.kind, entry.where) == ("event", room_id)]
        return [event for event in events if kind in (None, event["type"]) and "state_key" not in event]

    def counted(self, method: str, path: str) -> int:
        """How many requests there were with this method and path (searched as a pattern)."""
        return sum(1 for made, where in self.requests if made == method and re.search(path, where))

    async def put_event(
        self, room_id: str, sender: str, kind: str, content: Json, *, state_key: str | None = None
    ) -> str:
        """Make an event in a room, as its homeserver would on behalf of anybody."""
        number = len(self.log)
        event: Json = {
            "event_id": f"$event{number}",
            "type": kind,
            "sender": sender,
            "content": content,
            "origin_server_ts": EPOCH + number,
        }
        if state_key is not None:
            event["state_key"] = state_key
            before = self.state.setdefault(room_id, {}).get((kind, state_key))
            event["unsigned"] = {"prev_content": before["content"]} if before else {}
            self.state[room_id][kind, state_key] = event
        if kind == "m.room.redaction":
            event["redacts"] = content["redacts"]
        await self._note(Entry("event", room_id, event))
        return str(event["event_id"])

    async def make_room(self, room_id: str, *members: str, creation: Json | None = None) -> str:
        """Make an encrypted room whose first member is its creator."""
        creator = members[0]
        powers = {"users": {creator: 100}}
        for kind, content in (
            ("m.room.create", {"room_version": "11", **(creation or {})}),
            ("m.room.power_levels", powers),
            ("m.room.join_rules", {"join_rule": "invite"}),
            ("m.room.history_visibility", {"history_visibility": "invited"}),
            ("m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"}),
        ):
            await self.put_event(room_id, creator, kind, content, state_key="")
        for member in members:
            await self.set_member(room_id, member, "join")
        return room_id

    async def set_member(self, room_id: str, user_id: str, membership: str, *, by: str | None = None) -> None:
        """Invite, join, remove."""
        content = {"membership": membership}
        await self.put_event(room_id, by or user_id, "m.room.member", content, state_key=user_id)

    def joined(self, user_id: str) -> list[str]:
        """Rooms the user is in."""
        return [room for room in self.state if self._membership(room, user_id) == "join"]

    async def _note(self, entry: Entry) -> None:
        async with self._news:
            self.log.append(entry)
            self._news.notify_all()

    def _membership(self, room_id: str, user_id: str) -> str | None:
        event = self.state.get(room_id, {}).get(("m.room.member", user_id))
        return event["content"]["membership"] if event else None

    def _routes(self) -> list[tuple[str, str, Callable[[web.Request], Awaitable[web.Response]]]]:
        rooms, profile = f"{CLIENT}/rooms/{{room}}", Profiles()
        return [
            ("GET", f"{CLIENT}/profile/{{user}}", profile.answer),
            ("PUT", f"{CLIENT}/profile/{{user}}/{{part}}", profile.answer),
            ("GET", "/_matrix/client/versions", self._versions),
            ("POST", f"{CLIENT}/login", self._login),
            ("GET", f"{CLIENT}/account/whoami", self._whoami),
            ("GET", f"{CLIENT}/sync", self._sync),
            ("POST", f"{CLIENT}/keys/upload", self._keys_upload),
            ("POST", f"{CLIENT}/keys/query", self._keys_query),
            ("POST", f"{CLIENT}/keys/claim", self._keys_claim),
            ("POST", f"{CLIENT}/keys/device_signing/upload", self._identity_upload),
            ("POST", f"{CLIENT}/keys/signatures/upload", self._signatures_upload),
            ("PUT", f"{CLIENT}/sendToDevice/{{kind}}/{{txn}}", self._to_device),
            ("POST", f"{CLIENT}/createRoom", self._create_room),
            ("GET", f"{CLIENT}/joined_rooms", self._joined_rooms),
            ("GET", f"{rooms}/joined_members", self._joined_members),
            ("GET", f"{rooms}/members", self._members),
            ("GET", f"{rooms}/state/{{kind}}/{{key:.*}}", self._get_state),
            ("PUT", f"{rooms}/state/{{kind}}/{{key:.*}}", self._put_state),
            ("PUT", f"{rooms}/send/{{kind}}/{{txn}}", self._send),
            ("PUT", f"{rooms}/redact/{{event}}/{{txn}}", self._redact),
            ("GET", f"{rooms}/messages", self._messages),
            ("GET", f"{rooms}/event/{{event}}", self._event),
            ("POST", f"{rooms}/{{step:join|invite|kick|leave|forget}}", self._step),
            ("POST", f"{CLIENT}/{{step:join}}/{{room}}", self._step),
            ("POST", "/_matrix/media/v3/upload", self._upload),
        ]

    @web.middleware
    async def _misbehave(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        self.requests.append((request.method, request.path))
        rule = next((one for one in self._rules if one.fits(request)), None)
        if rule is None:
            return await handler(request)
        if rule.skip > 0:
            rule.skip -= 1
            return await handler(request)
        rule.times -= 1
        if rule.fault is Fault.HANG:
            await asyncio.Event().wait()
        if rule.fault is Fault.LOSE:
            await handler(request)
        if rule.fault in (Fault.LOSE, Fault.REFUSE):
            assert request.transport is not None
            request.transport.abort()
            raise ConnectionResetError
        return faulty(rule)

    async def _versions(self, request: web.Request) -> web.Response:
        return web.json_response({"versions": ["v1.11"]})

    async def _login(self, request: web.Request) -> web.Response:
        body = await request.json()
        name = body["identifier"]["user"]
        user_id = name if name.startswith("@") else f"@{name}:{self.server_name}"
        device_id = body.get("device_id") or f"DEVICE{len(self._tokens)}"
        token = f"token{len(self._tokens)}"
        self._tokens[token] = (user_id, device_id)
        return web.json_response({"user_id": user_id, "device_id": device_id, "access_token": token})

    async def _whoami(self, request: web.Request) -> web.Response:
        user_id, device_id = self._who(request)
        return web.json_response({"user_id": user_id, "device_id": device_id})

    def _who(self, request: web.Request) -> tuple[str, str]:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self._tokens:
            raise web.HTTPUnauthorized(
                text=json.dumps({"errcode": "M_UNKNOWN_TOKEN"}), content_type="application/json"
            )
        return self._tokens[token]

    async def _sync(self, request: web.Request) -> web.Response:
        user_id, device_id = self._who(request)
        since = int(request.query.get("since", "s0")[1:])
        limit = (
            json.loads(request.query.get("filter", "{}")).get("room", {}).get("timeline", {}).get("limit", 50)
        )
        full = "since" not in request.query or request.query.get("full_state") == "true"
        if not full:
            await self._wait(since, int(request.query.get("timeout", "0")) / 1000)
        news = self.log[since:]
        return web.json_response(
            {
                "next_batch": f"s{len(self.log)}",
                "rooms": self._room_news(user_id, since, limit, full=full),
                "to_device": {
                    "events": [
                        entry.what
                        for entry in news
                        if (entry.kind, entry.where) == ("to-device", f"{user_id} {device_id}")
                    ]
                },
                "device_lists": {"changed": sorted({e.where for e in news if e.kind == "keys"}), "left": []},
                "device_one_time_keys_count": {"signed_curve25519": self.keys.count((user_id, device_id))},
                "device_unused_fallback_key_types": ["signed_curve25519"],
            }
        )

    async def _wait(self, since: int, seconds: float) -> None:
        async with self._news:
            try:
                async with asyncio.timeout(seconds):
                    await self._news.wait_for(lambda: len(self.log) > since)
            except TimeoutError:
                return

    def _room_news(self, user_id: str, since: int, limit: int, *, full: bool) -> Json:
        found: Json = {"join": {}, "invite": {}, "leave": {}}
        for room_id, state in self.state.items():
            membership = self._membership(room_id, user_id)
            at = [n for n, e in enumerate(self.log) if n >= since and (e.kind, e.where) == ("event", room_id)]
            if membership == "invite" and (at or full):
                member = state["m.room.member", user_id]
                found["invite"][room_id] = {"invite_state": {"events": [member]}}
            elif membership in ("join", "leave") and (at or (full and membership == "join")):
                shown = at[-limit:]
                joined_now = any(self.log[n].what.get("state_key") == user_id for n in at)
                found[membership][room_id] = {
                    "state": {"events": list(state.values()) if full or joined_now else []},
                    "timeline": {
                        "events": [self.log[n].what for n in shown],
                        "limited": len(shown) < len(at),
                        "prev_batch": f"s{shown[0] if shown else len(self.log)}",
                    },
                }
        return found

    async def _keys_upload(self, request: web.Request) -> web.Response:
        who = self._who(request)
        body = await request.json()
        if self.keys.conflicts(who, body):
            return web.json_response({"errcode": "M_UNKNOWN", "error": "already exists"}, status=400)
        if self.keys.upload(who, body):
            await self._note(Entry("keys", who[0]))
        return web.json_response({"one_time_key_counts": {"signed_curve25519": self.keys.count(who)}})

    async def _keys_query(self, request: web.Request) -> web.Response:
        return web.json_response(self.keys.query(list((await request.json())["device_keys"])))

    async def _keys_claim(self, request: web.Request) -> web.Response:
        return web.json_response(self.keys.claim((await request.json())["one_time_keys"]))

    async def _identity_upload(self, request: web.Request) -> web.Response:
        user_id, _ = self._who(request)
        self.keys.identities[user_id] = await request.json()
        await self._note(Entry("keys", user_id))
        return web.json_response({})

    async def _signatures_upload(self, request: web.Request) -> web.Response:
        self.keys.sign(await request.json())
        await self._note(Entry("keys", self._who(request)[0]))
        return web.json_response({"failures": {}})

    async def _to_device(self, request: web.Request) -> web.Response:
        sender, _ = self._who(request)
        for user_id, devices in (await request.json())["messages"].items():
            for device_id, content in devices.items():
                message = {"sender": sender, "type": request.match_info["kind"], "content": content}
                await self._note(Entry("to-device", f"{user_id} {device_id}", message))
        return web.json_response({})

    async def _create_room(self, request: web.Request) -> web.Response:
        user_id, _ = self._who(request)
        body = await request.json()
        room_id = f"!room{len(self.state)}:{self.server_name}"
        await self.make_room(room_id, user_id, creation=body.get("creation_content"))
        for guest in body.get("invite", []):
            await self.set_member(room_id, guest, "invite", by=user_id)
        return web.json_response({"room_id": room_id})

    async def _joined_rooms(self, request: web.Request) -> web.Response:
        return web.json_response({"joined_rooms": self.joined(self._who(request)[0])})

    async def _joined_members(self, request: web.Request) -> web.Response:
        room_id = request.match_info["room"]
        members = [key for kind, key in self.state[room_id] if kind == "m.room.member"]
        joined: Json = {user: {} for user in members if self._membership(room_id, user) == "join"}
        return web.json_response({"joined": joined})

    async def _members(self, request: web.Request) -> web.Response:
        room = self.state[request.match_info["room"]]
        return web.json_response(
            {"chunk": [event for (kind, _), event in room.items() if kind == "m.room.member"]}
        )

    async def _get_state(self, request: web.Request) -> web.Response:
        found = self.state.get(request.match_info["room"], {}).get(_state_name(request))
        if found is None:
            return web.json_response({"errcode": "M_NOT_FOUND"}, status=404)
        return web.json_response(found if request.query.get("format") == "event" else found["content"])

    async def _put_state(self, request: web.Request) -> web.Response:
        kind, key = _state_name(request)
        event_id = await self.put_event(
            request.match_info["room"], self._who(request)[0], kind, await request.json(), state_key=key
        )
        return web.json_response({"event_id": event_id})

    async def _send(self, request: web.Request) -> web.Response:
        return await self._once(request, request.match_info["kind"], await request.json())

    async def _redact(self, request: web.Request) -> web.Response:
        content = {**await request.json(), "redacts": request.match_info["event"]}
        return await self._once(request, "m.room.redaction", content)

    async def _once(self, request: web.Request, kind: str, content: Json) -> web.Response:
        """Make an event unless this device has made it before with this path (transaction id included)."""
        user_id, device_id = self._who(request)
        key = (user_id, device_id, unquote(request.path))
        if key not in self._done:
            self._done[key] = await self.put_event(request.match_info["room"], user_id, kind, content)
        return web.json_response({"event_id": self._done[key]})

    async def _messages(self, request: web.Request) -> web.Response:
        room_id = request.match_info["room"]
        start = int(request.query.get("from", f"s{len(self.log)}")[1:])
        stop = int(request.query.get("to", "s0")[1:])
        limit = int(request.query.get("limit", "10"))
        at = [
            n
            for n in range(min(start, len(self.log)) - 1, stop - 1, -1)
            if (self.log[n].kind, self.log[n].where) == ("event", room_id)
        ]
        page: Json = {"chunk": [self.log[n].what for n in at[:limit]], "start": f"s{start}"}
        if len(at) > limit:
            page["end"] = f"s{at[limit - 1]}"
        return web.json_response(page)

    async def _event(self, request: web.Request) -> web.Response:
        wanted = request.match_info["event"]
        found = [entry.what for entry in self.log if entry.what.get("event_id") == wanted]
        return web.json_response(
            found[0] if found else {"errcode": "M_NOT_FOUND"}, status=200 if found else 404
        )

    async def _step(self, request: web.Request) -> web.Response:
        user_id, _ = self._who(request)
        body = json.loads(await request.text() or "{}")
        room_id, step = request.match_info["room"], request.match_info["step"]
        memberships = {"join": "join", "invite": "invite", "kick": "leave", "leave": "leave"}
        if step in memberships:
            await self.set_member(room_id, body.get("user_id", user_id), memberships[step], by=user_id)
        return web.json_response({"room_id": room_id})

    async def _upload(self, request: web.Request) -> web.Response:
        await self._note(Entry("media", self._who(request)[0], {"size": len(await request.read())}))
        return web.json_response({"content_uri": f"mxc://{self.server_name}/{len(self.log)}"})


def _state_name(request: web.Request) -> tuple[str, str]:
    return request.match_info["kind"], request.match_info["key"]
