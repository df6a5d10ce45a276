# SPDX-License-Identifier: AGPL-3.0-or-later
"""The parts of a running desk, as features are given them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.carriers.senders import RoomSenders
from bot.desk.journal import EventJournal
from bot.desk.worker import Worker
from bot.identity.session import Session
from bot.identity.trust import Trust
from bot.rooms.members import Members
from bot.rooms.rooms import Rooms
from bot.sending.sender import Sender
from bot.sync.syncing import Syncer
from desk.context import Workplace
from helproom.config.settings import Settings
from mail.openpgp.keyring import GpgExecutor, Keyring
from mail.workers.opener import LetterOpener
from storage.engine.single_use import SoleUse
from storage.unit import Units

if TYPE_CHECKING:
    from trackers.redmine import Redmine


@dataclass(frozen=True)
class DeskParts:
    """Settings, database, keys and the tracker."""

    settings: Settings
    place: Workplace
    sole_use: SoleUse
    keyring: Keyring
    executor: GpgExecutor
    tracker: "Redmine | None"

    @property
    def units(self) -> Units:
        """Return the database."""
        return self.place.units

    @property
    def opener(self) -> LetterOpener:
        """Return what opens letters."""
        return LetterOpener(self.keyring, self.executor, self.place.config.intake.relays)


@dataclass(frozen=True)
class MatrixParts:
    """The parts that speak Matrix."""

    session: Session
    trust: Trust
    rooms: Rooms
    members: Members
    sender: Sender
    room_senders: RoomSenders
    journal: EventJournal
    syncer: Syncer
    worker: Worker
    only_verified: bool
    """Commands and files of devices that are not verified are refused."""


@dataclass(frozen=True)
class Parts:
    """All of them."""

    desk: DeskParts
    matrix: MatrixParts

    @property
    def settings(self) -> Settings:
        """Return what the config says."""
        return self.desk.settings

    @property
    def place(self) -> Workplace:
        """Return what each part that opens transactions is given."""
        return self.desk.place
