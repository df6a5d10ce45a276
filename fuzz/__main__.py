# SPDX-License-Identifier: AGPL-3.0-or-later
"""Fuzzes one target for some seconds: python -m fuzz TARGET SECONDS FOLDER.

`TARGET` is a name in `fuzz.targets`, with `pumped-` before it to look for time that is not linear. What is
found is written into FOLDER/found, once for each place in the code, and fuzzing goes on.
"""

import hashlib
import sys
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["mail", "desk"]):
    from fuzz.targets import TARGETS, Target, pumped

from fuzz.seeds import WORDS, write_seeds

LONGEST = 16 * 1024
CPU_SECONDS = 1.0
"""For at most 64 KB, in instrumented code, which is several times slower."""
MEGABYTES = 300


class TooSlow(Exception):
    """Something took more time than it may."""


@dataclass
class Watch:
    """Runs a target and keeps what goes wrong."""

    target: Target
    folder: Path
    name: str
    seen: set[str] = field(default_factory=set)

    def __call__(self, data: bytes) -> None:
        """Run it on one input."""
        started = time.process_time()
        try:
            self.target(data)
            _be_quick(started)
        except Exception as problem:  # noqa: BLE001 - whatever it is, it is a finding
            self.keep(data, problem)

    def keep(self, data: bytes, problem: Exception) -> None:
        """Write an input down unless one has failed in the same place."""
        frames = traceback.extract_tb(problem.__traceback__)
        place = f"{type(problem).__name__} {frames[-1].filename}:{frames[-1].lineno}"
        if place in self.seen:
            return
        self.seen.add(place)
        file = self.folder / f"{self.name}-{hashlib.sha256(place.encode()).hexdigest()[:8]}"
        file.write_bytes(data)
        print(f"FOUND {self.name}: {place}: {file}", flush=True)
        traceback.print_exception(problem)


def _be_quick(started: float) -> None:
    if time.process_time() - started > CPU_SECONDS:
        raise TooSlow


def main(name: str, seconds: str, folder: Path) -> None:
    """Fuzz until the time is over."""
    plain = name.removeprefix("pumped-")
    target = TARGETS[plain] if plain == name else pumped(TARGETS[plain])
    corpus, found = folder / "corpus" / plain, folder / "found"
    for each in (corpus, found):
        each.mkdir(parents=True, exist_ok=True)
    write_seeds(plain, corpus)
    words = folder / f"{plain}.dict"
    words.write_text("".join(f'"{word}"\n' for word in WORDS), encoding="ascii")
    options = [f"-max_total_time={seconds}", f"-max_len={LONGEST}", f"-dict={words}", "-timeout=60"]
    options += [f"-malloc_limit_mb={MEGABYTES}", "-rss_limit_mb=2000", f"-artifact_prefix={found}/{name}-"]
    atheris.Setup([sys.argv[0], *options, "-print_final_stats=1", str(corpus)], Watch(target, found, name))
    atheris.Fuzz()


main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
