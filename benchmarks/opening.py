# SPDX-License-Identifier: AGPL-3.0-or-later
"""What opening a letter costs, against bare gpg on the same ciphertext."""

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.figures import Figure, median_ratio
from benchmarks.post import encrypted_mail, post, words
from mail.reading.open_letter import open_letter

SIZES = (5_000, 300_000)
PAIRS = 60
TARGET = 1.3


def timed(work: Callable[[], object]) -> float:
    """Return how many milliseconds it takes."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


def measure(folder: Path) -> Iterator[Figure]:
    """Open letters and decrypt their ciphertexts in turn."""
    with post(folder) as office:
        for size in SIZES:
            armor = office.encrypt(words(size))
            raw = encrypted_mail(size, armor)
            file = folder / f"{size}.asc"
            file.write_bytes(armor)
            ours: list[float] = []
            floor: list[float] = []
            if open_letter(raw, office.keyring).encryption.state != "ok":
                raise AssertionError("the letter does not open")
            for _ in range(PAIRS):
                floor.append(timed(lambda: office.open_bare(file)))  # noqa: B023
                ours.append(timed(lambda: open_letter(raw, office.keyring)))  # noqa: B023
            yield Figure(
                f"open a letter of {size // 1000} KB / bare gpg",
                median_ratio(ours, floor),
                TARGET,
                statistics.median(ours),
                statistics.median(floor),
                "ms",
                PAIRS,
            )
