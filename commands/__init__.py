# SPDX-License-Identifier: AGPL-3.0-or-later
"""What agents can say: one file per family, and this one line that lists them."""

from commands import (
    attaching,
    files,
    keys,
    operators,
    pins,
    problems,
    quarantine,
    replies,
    rooms,
    templates,
    tickets,
    whisperback,
)
from commands.buttons import react
from commands.declare import join
from commands.helping import family_for
from commands.running import Runner

FAMILIES = (
    tickets.family,
    replies.family,
    files.family,
    attaching.family,
    templates.family,
    problems.family,
    rooms.family,
    operators.family,
    quarantine.family,
    pins.family,
    keys.family,
    whisperback.family,
)
TABLE = join(*FAMILIES)
TABLE |= join(family_for(TABLE))

run = Runner(TABLE).run

__all__ = ["FAMILIES", "TABLE", "react", "run"]
