# SPDX-License-Identifier: AGPL-3.0-or-later
"""How the desk is set up, as read from the config: each section there gives its part."""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from desk.world import Refusal


@dataclass(frozen=True)
class Queue:
    """A language's room, mail address and OpenPGP key."""

    name: str
    language: str
    """ISO 639-1."""
    address: str
    role_name: str
    """The display name under which answers leave; never an agent's."""
    fingerprint: str
    """40 hexadecimal digits of the key that decrypts and signs for this queue."""
    detect: bool = False
    """Letters to this address go to the room of the language they are written in."""
    fallback: tuple[str, ...] = ()
    """Who is mentioned when nobody is on duty."""


@dataclass(frozen=True)
class Shift:
    """A weekly time of duty, in local wall time; an end at or before the start is on the next day."""

    user_id: str
    weekdays: frozenset[int]
    """0 is Monday."""
    start: dt.time
    end: dt.time
    zone: str
    """IANA name, such as "Europe/Paris"."""
    queues: frozenset[str] = frozenset()
    """Names of queues; empty means all."""


@dataclass(frozen=True)
class Rate:
    """How many letters are taken in within an hour; those beyond wait."""

    per_sender: int = 20
    in_all: int = 500
    exempt: tuple[str, ...] = ()
    """Addresses, such as those of relays, that count in all only."""
    per_crowd: int = 100
    """From an address behind which are many people, who cannot be told apart by it."""
    crowds: tuple[str, ...] = ()
    """These addresses. Anybody can write one into an envelope, so that they are not exempt."""


@dataclass(frozen=True)
class Relay:
    """A Schleuder list whose word on who wrote a letter counts, once it has signed it."""

    address: str
    """Lower case."""
    fingerprint: str
    """40 hexadecimal digits of the key it signs with."""


@dataclass(frozen=True)
class IntakeConfig:
    """How letters are taken in."""

    rate: Rate | None = None
    """None: as many as come."""
    relays: tuple[Relay, ...] = ()
    partners: tuple[re.Pattern[str], ...] = ()
    """What finds the ticket numbers of other desks in a subject; the first group is the number."""


@dataclass(frozen=True)
class RepliesConfig:
    """How answers leave."""

    hold: dt.timedelta = dt.timedelta(seconds=60)
    first_answer: str | None = None
    """The template that answers new tickets by itself; None: nothing does."""
    most_first_answers: int = 60
    """Within an hour; beyond them none leaves."""
    most_files: int = 5
    """With one answer."""
    files_size: int = 10_000_000
    """Bytes, of all files of one answer together."""
    fallback_languages: tuple[str, ...] = ("en",)
    """Where to look for a template's variant when the ticket's language has none."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Values for template variables beside the ones a ticket gives."""


@dataclass(frozen=True)
class DisposableRoomsConfig:
    """How long disposable rooms live."""

    life: dt.timedelta = dt.timedelta(hours=24)
    """When nobody says how long."""
    longest: dt.timedelta = dt.timedelta(hours=72)


@dataclass(frozen=True)
class DeskConfig:
    """All of it."""

    queues: tuple[Queue, ...]
    agents: frozenset[str]
    """Matrix user ids of those who may command the bot."""
    admins: frozenset[str] = frozenset()
    shifts: tuple[Shift, ...] = ()
    intake: IntakeConfig = IntakeConfig()
    replies: RepliesConfig = field(default_factory=RepliesConfig)
    rooms: DisposableRoomsConfig = DisposableRoomsConfig()
    tracker_url: str = ""
    """The base address of the issue tracker, without a slash at its end; empty when there is none."""

    def queue(self, name: str) -> Queue:
        """Return a queue by name; raise Refusal when the config has none of that name."""
        for queue in self.queues:
            if queue.name == name:
                return queue
        raise Refusal(f"There is no queue “{name[:60]}” in the config (any more).")

    def is_ours(self, address: str) -> bool:
        """Tell whether this is the address of a queue, with a reply token behind its + or without."""
        local, _, domain = address.casefold().rpartition("@")
        return f"{local.partition('+')[0]}@{domain}" in {queue.address.casefold() for queue in self.queues}

    def queue_for_language(self, language: str) -> Queue | None:
        """Return the queue whose room is for this language, or for its base ("pt" for "pt-br")."""
        by_language = {queue.language: queue for queue in reversed(self.queues)}
        return by_language.get(language) or by_language.get(language.partition("-")[0])
