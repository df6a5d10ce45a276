# SPDX-License-Identifier: AGPL-3.0-or-later
"""How long a thing took, for the log; the clock of the wall may jump meanwhile."""

import time


class Stopwatch:
    """Runs from its making on."""

    def __init__(self) -> None:
        self._begun = time.monotonic()

    @property
    def ms(self) -> int:
        """Milliseconds until now."""
        return round((time.monotonic() - self._begun) * 1000)
