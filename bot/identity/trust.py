# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which devices get room keys: those signed by the identity their owner had when we first saw it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

import structlog
from nio import AsyncClient, KeysQueryResponse
from nio.crypto import OlmDevice

from bot.errors import TryLater
from bot.http.wire import Json, path, request
from bot.identity.keystore import as_on_disk
from bot.identity.signing import is_signed, only_key

log = structlog.get_logger()


class TrustPolicy(StrEnum):
    """Who may read what the bot writes."""

    SIGNED = "signed"
    """Only devices signed by their owner's pinned identity."""
    ALL = "all"
    """Also unsigned devices, unless their owner's identity is broken or has changed."""


class IdentityTrust(StrEnum):
    """What a user's cross-signing identity is worth to us."""

    PINNED = "pinned"
    NONE = "none"
    CHANGED = "changed"
    BROKEN = "broken"


@dataclass(frozen=True)
class PinnedIdentity:
    """The master key a user had when we first met, in unpadded base64."""

    user_id: str
    master_key: str


@dataclass(frozen=True)
class Device:
    """One device and whether it receives room keys."""

    device_id: str
    signed: bool
    receives: bool


@dataclass(frozen=True)
class Judgement:
    """A user's identity and devices, as the last look at the homeserver showed them."""

    user_id: str
    standing: IdentityTrust
    master_key: str | None
    devices: tuple[Device, ...] = ()


KeepPins = Callable[[tuple[PinnedIdentity, ...]], Awaitable[None]]
Report = Callable[[Judgement], Awaitable[None]]


class Trust:
    """Looks users' keys up, judges them and tells nio which devices may have room keys."""

    def __init__(
        self,
        client: AsyncClient,
        pins: Mapping[str, str],
        *,
        policy: TrustPolicy = TrustPolicy.SIGNED,
        keep: KeepPins,
        report: Report,
    ) -> None:
        """`pins` are known master keys by user; `keep` persists new ones, `report` hears of changes."""
        self._client = client
        self._pins = dict(pins)
        self._policy = policy
        self._keep = keep
        self._report = report
        self._seen: dict[str, Judgement] = {}
        self._lock = asyncio.Lock()

    def judgement(self, user_id: str) -> Judgement | None:
        """What the last look showed, or None before the first."""
        return self._seen.get(user_id)

    async def refresh(self, users: Iterable[str] | None = None) -> tuple[Judgement, ...]:
        """Look up the given users, or those whose devices have changed; raises TryLater and the like."""
        async with self._lock:
            wanted = sorted(set(self._client.users_for_key_query if users is None else users))
            if not wanted:
                return ()
            with self._asking(wanted):
                return await self._refresh(wanted)

    async def _refresh(self, wanted: list[str]) -> tuple[Judgement, ...]:
        shown = await self._look_up(wanted)
        judged = tuple(self._judge(user, shown) for user in wanted)
        await self._pin(judged)
        for judgement in judged:
            self._mark(judgement)
        await self._tell(judged)
        return judged

    async def accept(self, user_id: str, master_key: str) -> Judgement:
        """Pin this identity in place of the one before, if it is still the one that the user shows.

        For a person who has checked that the change is real: they checked this key and no later one.
        """
        async with self._lock:
            with self._asking([user_id]):
                return await self._accept(user_id, master_key)

    async def _accept(self, user_id: str, master_key: str) -> Judgement:
        shown = await self._look_up([user_id])
        if only_key(shown.get("master_keys", {}).get(user_id)) == master_key:
            await self._keep((PinnedIdentity(user_id, master_key),))
            self._pins[user_id] = master_key
        judgement = self._judge(user_id, shown)
        self._mark(judgement)
        await self._tell((judgement,))
        return judgement

    async def forget(self, user_id: str) -> None:
        """Take the identity that the user shows next for a first sight; members of our rooms show it now."""
        async with self._lock:
            self._pins.pop(user_id, None)
            self._seen.pop(user_id, None)
        if any(user_id in room.users for room in self._client.rooms.values()):
            await self.refresh([user_id])

    @contextlib.contextmanager
    def _asking(self, users: list[str]) -> Iterator[None]:
        """Ask again for users whose keys were shown, but of whom not everything could be kept."""
        try:
            with as_on_disk(self._client):
                yield
        except BaseException:
            # nio takes them for done as soon as it is given the answer.
            self._client.olm.users_for_key_query.update(users)
            raise

    async def _look_up(self, users: list[str]) -> Json:
        body: Json = {"device_keys": {user: [] for user in users}}
        shown = await request(self._client, "POST", path("keys", "query"), body)
        response = KeysQueryResponse.from_dict(shown)
        if not isinstance(response, KeysQueryResponse):
            raise TryLater("The homeserver's answer about devices cannot be read.")
        await self._client.receive_response(response)
        return shown

    def _judge(self, user_id: str, shown: Json) -> Judgement:
        master = only_key(shown.get("master_keys", {}).get(user_id))
        device_signer = shown.get("self_signing_keys", {}).get(user_id)
        signer = only_key(device_signer)
        standing = self._standing(user_id, master, device_signer)
        devices = []
        for device_id, keys in shown.get("device_keys", {}).get(user_id, {}).items():
            signed = (
                standing is IdentityTrust.PINNED
                and signer is not None
                and is_signed(keys, user_id, signer)
                and self._same_keys(user_id, device_id, keys)
            )
            devices.append(Device(device_id, signed, signed or self._lenient(standing)))
        return Judgement(user_id, standing, master, tuple(devices))

    def _standing(self, user_id: str, master: str | None, device_signer: Json | None) -> IdentityTrust:
        pinned = self._pins.get(user_id)
        if pinned is not None and pinned != master:
            return IdentityTrust.CHANGED
        if master is None:
            return IdentityTrust.NONE
        sound = device_signer is not None and is_signed(device_signer, user_id, master)
        return IdentityTrust.PINNED if sound else IdentityTrust.BROKEN

    def _lenient(self, standing: IdentityTrust) -> bool:
        return self._policy is TrustPolicy.ALL and standing in (IdentityTrust.NONE, IdentityTrust.PINNED)

    def _same_keys(self, user_id: str, device_id: str, shown: Json) -> bool:
        """Whether nio encrypts to the very keys the signature covers."""
        known = self._client.device_store[user_id].get(device_id)
        keys = shown.get("keys", {})
        return (
            known is not None
            and shown.get("user_id") == user_id
            and shown.get("device_id") == device_id
            and keys.get(f"ed25519:{device_id}") == known.ed25519
            and keys.get(f"curve25519:{device_id}") == known.curve25519
        )

    async def _pin(self, judged: tuple[Judgement, ...]) -> None:
        """Persist first sights before anything is entrusted to them."""
        fresh = tuple(
            PinnedIdentity(found.user_id, found.master_key)
            for found in judged
            if found.standing is IdentityTrust.PINNED
            and found.master_key is not None
            and found.user_id not in self._pins
        )
        if fresh:
            await self._keep(fresh)
            self._pins.update({pin.user_id: pin.master_key for pin in fresh})

    def _mark(self, judgement: Judgement) -> None:
        by_id = {device.device_id: device for device in judgement.devices}
        for known in self._client.device_store.active_user_devices(judgement.user_id):
            if (known.user_id, known.id) == (self._client.user_id, self._client.device_id):
                continue
            found = by_id.get(known.id)
            if found is not None and found.signed:
                self._set(known, self._client.olm.is_device_verified, self._client.verify_device)
            elif found is not None and found.receives:
                # nio's "ignored" gets keys although it is not verified.
                self._set(known, self._client.olm.is_device_ignored, self._client.ignore_device)
            else:
                self._set(known, self._client.olm.is_device_blacklisted, self._client.blacklist_device)

    def _set(
        self, known: OlmDevice, has: Callable[[OlmDevice], bool], give: Callable[[OlmDevice], bool]
    ) -> None:
        """Change a device's mark only when it differs.

        nio's lists take the same device twice but remove it once: it would be verified and blacklisted at
        the same time. Each change also makes a new room key necessary.
        """
        if not has(known):
            give(known)

    async def _tell(self, judged: tuple[Judgement, ...]) -> None:
        for judgement in judged:
            before = self._seen.get(judgement.user_id)
            known = before is not None and (before.standing, before.master_key) == (
                judgement.standing,
                judgement.master_key,
            )
            if judgement.standing is IdentityTrust.CHANGED and not known:
                log.warning("identity-changed")
                await self._report(judgement)
            self._seen[judgement.user_id] = judgement
