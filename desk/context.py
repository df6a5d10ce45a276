# SPDX-License-Identifier: AGPL-3.0-or-later
"""What every decision works with."""

from dataclasses import dataclass

from desk.house import House
from desk.world import World
from storage.unit import Unit


@dataclass(frozen=True)
class Work:
    """One transaction, the clock and chance, and what the sysadmin chose."""

    unit: Unit
    world: World
    house: House
