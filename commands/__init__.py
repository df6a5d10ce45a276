# SPDX-License-Identifier: AGPL-3.0-or-later
"""What agents can say: one file per family, and this one line that lists them."""

from commands.buttons import react
from commands.families import (
    attaching,
    files,
    keys,
    parked,
    pins,
    problems,
    quarantine,
    replies,
    rooms,
    search,
    templates,
    tickets,
    whisperback,
)
from commands.grammar.declare import join
from commands.grammar.helping import family_for
from commands.grammar.running import Runner

FAMILIES = (
    tickets.family,
    replies.family,
    files.family,
    attaching.family,
    templates.family,
    problems.family,
    rooms.family,
    parked.family,
    quarantine.family,
    pins.family,
    keys.family,
    whisperback.family,
    search.family,
)
TABLE = join(*FAMILIES)
TABLE |= join(family_for(TABLE))

run = Runner(TABLE).run

__all__ = ["FAMILIES", "TABLE", "react", "run"]
