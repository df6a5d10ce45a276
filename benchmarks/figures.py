# SPDX-License-Identifier: AGPL-3.0-or-later
"""A figure: what was measured, against what, and whether it is as good as it should be."""

import json
import math
import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Figure:
    """One line of output; `ours` and `floor` are the raw figures that `ratio` compares."""

    name: str
    ratio: float
    target: float
    ours: float
    floor: float
    unit: str
    n: int
    at_least: bool = False
    """Whether more is better."""
    more: dict[str, float | str] = field(default_factory=dict)

    @property
    def met(self) -> bool:
        """Whether the target is reached."""
        return self.ratio >= self.target if self.at_least else self.ratio <= self.target

    def tell(self) -> None:
        """Print the line."""
        line = {
            "name": self.name,
            "ratio": round(self.ratio, 3),
            "target": ("at least " if self.at_least else "at most ") + str(self.target),
            "met": self.met,
            "ours": round(self.ours, 3),
            "floor": round(self.floor, 3),
            "unit": self.unit,
            "n": self.n,
            **{name: _short(value) for name, value in self.more.items()},
            "load": round(os.getloadavg()[0], 2),
        }
        print(json.dumps(line), flush=True)


def _short(value: float | str) -> float | str:
    return round(value, 3) if isinstance(value, float) else value


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` of all do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def median_ratio(ours: Sequence[float], floor: Sequence[float]) -> float:
    """Compare medians: pairs were measured in turn, so that both saw the same machine."""
    return statistics.median(ours) / statistics.median(floor)
