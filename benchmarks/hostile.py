# SPDX-License-Identifier: AGPL-3.0-or-later
"""What up to 1 MB from somebody who means harm costs at worst, for each kind: CPU time, memory, growth."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Figure
from tests.mail.floods import FLOODS, KINDS, Flood
from tests.mail.opening_child import peak

BYTES = 1_000_000
SMALL = 60_000
"""Below the limits from which on some readers look at nothing any more."""
SECONDS = 2.0
MEGABYTES = 300.0
NOTICEABLE = 0.02
"""Seconds: what takes less says nothing on growth."""


def measure(_folder: Path) -> Iterator[Figure]:
    """Read all floods of a kind in a process of its own, whose memory is then that of the worst."""
    for kind in KINDS:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.hostile", kind], check=True, capture_output=True, text=True
        )
        costs = [json.loads(line) for line in done.stdout.splitlines()]
        worst = max(costs, key=lambda cost: cost["seconds"])
        steepest = max(costs, key=lambda cost: cost["growth"])
        memory = max(cost["megabytes"] for cost in costs)
        more: dict[str, float | str] = {
            "worst": worst["flood"],
            "growth": steepest["growth"],
            "steepest": steepest["flood"],
        }
        name, count = f"1 MB of hostile {kind}", len(costs)
        seconds = worst["seconds"]
        yield Figure(f"{name} / 2 s", seconds / SECONDS, 1.0, seconds, SECONDS, "s", count, more=more)
        yield Figure(f"{name} / 300 MB", memory / MEGABYTES, 1.0, memory, MEGABYTES, "MB", count)


def seconds_for(flood: Flood, size: int) -> float:
    """Return the CPU time that a flood of a size takes."""
    data, start = flood.of(size), time.process_time()
    flood.reader(data)
    return time.process_time() - start


def main(kind: str) -> None:
    """Print what each flood of a kind costs, and how much more than its half."""
    for flood in FLOODS:
        if flood.kind == kind:
            small, half, whole = (seconds_for(flood, size) for size in (SMALL, BYTES // 2, BYTES))
            growth = whole / half if half > NOTICEABLE else 0.0
            cost = {
                "flood": str(flood),
                "seconds": max(small, half, whole),
                "growth": growth,
                "megabytes": peak(),
            }
            print(json.dumps(cost), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
