# SPDX-License-Identifier: AGPL-3.0-or-later
"""How sizes are said."""

_KILO = 1000


def size_words(size: int) -> str:
    """Return a size as people read it."""
    if size < _KILO:
        return f"{size} bytes"
    kilobytes = size / _KILO
    return f"{kilobytes:.0f} KB" if kilobytes < _KILO else f"{kilobytes / _KILO:.1f} MB"
