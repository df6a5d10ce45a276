# SPDX-License-Identifier: AGPL-3.0-or-later
"""Measures all figures, or those named (`scripts/bench opening`), and prints a JSON line for each."""

import importlib
import sys
import tempfile
from pathlib import Path

BENCHMARKS = ("opening", "intake", "hostile", "talking", "starting", "memory", "searching")


def main(names: list[str]) -> None:
    """Measure one after the other: nothing else runs meanwhile."""
    for name in names or BENCHMARKS:
        with tempfile.TemporaryDirectory(prefix="bench") as folder:
            for figure in importlib.import_module(f"benchmarks.{name}").measure(Path(folder)):
                figure.tell()


main(sys.argv[1:])
