# SPDX-License-Identifier: AGPL-3.0-or-later
"""How much a letter may hold, checked before anything is parsed or decrypted."""

from dataclasses import dataclass

from desk.letters.opened import Unopenable

LETTER_BYTES = 25_000_000
HEADER_BYTES = 256 * 1024
"""All header lines of a letter together, those of its parts included."""
HEADER_VALUE = 8 * 1024
"""Characters of one header; the rest is cut off."""
PARTS = 500
DEPTH = 30
FALSE_BOUNDARIES = 10_000
"""Lines that begin like a boundary and are none: more of them only serve to make the scan slow."""
TEXT_BYTES = 4_000_000
"""Bytes of one text that are read; the rest is cut off and stays in the letter."""
HTML_CHARS = 1024 * 1024
"""Characters of one HTML page that are read, with its tags; Outlook writes hundreds of K around few words."""
ADDRESSES = 100
ADDRESS_FIELDS = 20
"""Fields of one name in which addresses are looked for: From and To stand once (RFC 5322, 3.6)."""


def check_size(raw: bytes) -> None:
    """Refuse a letter, or a decrypted payload, of more than 25 MB.

    Raises Unopenable.
    """
    if len(raw) > LETTER_BYTES:
        raise Unopenable(f"The letter is larger than {LETTER_BYTES // 1_000_000} MB.")


@dataclass
class Allowance:
    """What one letter may still spend while its structure is read."""

    header_bytes: int = HEADER_BYTES
    parts: int = PARTS
    false_boundaries: int = FALSE_BOUNDARIES

    def spend_headers(self, size: int) -> None:
        """Take `size` bytes of headers; raises Unopenable when the letter has too many."""
        self.header_bytes -= size
        if self.header_bytes < 0:
            raise Unopenable(f"The letter has more than {HEADER_BYTES // 1024} KB of headers.")

    def spend_part(self, depth: int) -> None:
        """Take one part at `depth` (the letter itself is 0); raises Unopenable past a limit."""
        self.parts -= 1
        if self.parts < 0:
            raise Unopenable(f"The letter has more than {PARTS} parts.")
        if depth > DEPTH:
            raise Unopenable(f"The letter's parts are nested more than {DEPTH} deep.")

    def spend_false_boundary(self) -> None:
        """Take one line that only looks like a boundary; raises Unopenable when there are too many."""
        self.false_boundaries -= 1
        if self.false_boundaries < 0:
            raise Unopenable("The letter has too many lines that look like boundaries between parts.")
