# SPDX-License-Identifier: AGPL-3.0-or-later
"""What every decision works with."""

from dataclasses import dataclass

from desk.config import DeskConfig
from desk.world import World
from storage.unit import Unit, Units


@dataclass(frozen=True)
class Work:
    """One transaction, the clock and chance, and what the sysadmin chose."""

    unit: Unit
    world: World
    config: DeskConfig


@dataclass(frozen=True)
class Workplace:
    """What every part that opens transactions is given."""

    units: Units
    world: World
    config: DeskConfig

    def work(self, unit: Unit) -> Work:
        """Return what decisions in this transaction work with."""
        return Work(unit, self.world, self.config)
