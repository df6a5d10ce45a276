# SPDX-License-Identifier: AGPL-3.0-or-later
"""The key store of the fake homeserver: it passes on what it gets and checks no signature."""

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
Who = tuple[str, str]


@dataclass
class KeyStore:
    """Keys by (user, device), and the cross-signing keys of users."""

    devices: dict[Who, Json] = field(default_factory=dict)
    one_time_keys: dict[Who, dict[str, Json]] = field(default_factory=dict)
    identities: dict[str, Json] = field(default_factory=dict)

    def count(self, who: Who) -> int:
        """How many one-time keys are left."""
        return len(self.one_time_keys.get(who, {}))

    def conflicts(self, who: Who, body: Json) -> bool:
        """Whether a one-time key is known by this id with another value, which Synapse refuses."""
        known = self.one_time_keys.get(who, {})
        return any(known.get(name, key) != key for name, key in body.get("one_time_keys", {}).items())

    def upload(self, who: Who, body: Json) -> bool:
        """Take device keys and one-time keys; return whether the device is new."""
        self.one_time_keys.setdefault(who, {}).update(body.get("one_time_keys", {}))
        if "device_keys" in body:
            self.devices[who] = body["device_keys"]
        return "device_keys" in body

    def query(self, users: list[str]) -> Json:
        """Devices and identities of these users."""
        answer: Json = {"device_keys": {}, "master_keys": {}, "self_signing_keys": {}, "failures": {}}
        for user_id in users:
            answer["device_keys"][user_id] = {
                device: keys for (owner, device), keys in self.devices.items() if owner == user_id
            }
            for name in ("master_key", "self_signing_key"):
                if user_id in self.identities:
                    answer[f"{name}s"][user_id] = self.identities[user_id][name]
        return answer

    def claim(self, wanted: Json) -> Json:
        """Hand out one key for each device that has one."""
        claimed: Json = {}
        for user_id, devices in wanted.items():
            for device_id in devices:
                left = self.one_time_keys.get((user_id, device_id), {})
                if left:
                    name = next(iter(left))
                    claimed.setdefault(user_id, {})[device_id] = {name: left.pop(name)}
        return {"one_time_keys": claimed, "failures": {}}

    def sign(self, body: Json) -> None:
        """Add signatures to devices."""
        for user_id, objects in body.items():
            for device_id, signed in objects.items():
                known = self.devices[user_id, device_id]["signatures"]
                known.setdefault(user_id, {}).update(signed["signatures"][user_id])
