# SPDX-License-Identifier: AGPL-3.0-or-later
"""A table of mails and verdicts: one line for each mail, or for all that a pattern names."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

_COLUMNS = 8
_SEVERAL = re.compile(r"([0-9]+) × (.+)")
_AS_IT_IS = re.compile(r"\\\[")


@dataclass(frozen=True)
class Row:
    """What must be said of a mail; patterns are those of the shell, with `\\[` for a bracket."""

    file: str
    encryption: str
    signatures: tuple[str, ...]
    """As "good", or "good/part" where it covers a part only."""
    subject: str
    protected: bool
    automatic: str | None
    attachments: tuple[str, ...]
    words: str
    """A piece of the text; empty where none is asked for."""

    def faults(self, found: Mapping[str, Any]) -> list[str]:
        """Say in what a description (as `inspect-mail --json` writes it) is not as it must be."""
        told = {
            "encryption": found["encryption"]["state"],
            "signatures": tuple(_told(one) for one in found["signatures"]),
            "protected": found["headers"]["protected"],
            "automatic": found["automatic"],
            "attachments": tuple(one["name"] for one in found["attachments"]),
        }
        faults = [
            f"{name}: {value!r} and not {getattr(self, name)!r}"
            for name, value in told.items()
            if value != getattr(self, name)
        ]
        subject, text = found["headers"]["subject"], f"{found['text']}\n{found['unprotected_text']}"
        if not _fits(subject, self.subject):
            faults.append(f"subject: {subject!r} and not {self.subject!r}")
        if self.words not in text and self.words != "*":
            faults.append(f"text without {self.words!r}")
        return faults


def read_table(file: Path) -> list[Row]:
    """Read a table; lines that begin with # are remarks."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return [_read_row(line) for line in lines if line.strip() and not line.startswith("#")]


def row_for(rows: list[Row], name: str) -> Row | None:
    """Return the first row whose pattern names a mail."""
    return next((row for row in rows if fnmatchcase(name, row.file)), None)


def _read_row(line: str) -> Row:
    cells = [cell.strip() for cell in line.split("|")]
    if len(cells) != _COLUMNS:
        raise ValueError(f"A row has {_COLUMNS} columns: {line}")
    file, encryption, signatures, subject, headers, automatic, attachments, words = cells
    return Row(
        file,
        encryption,
        tuple(signatures.split()),
        subject,
        headers == "protected",
        automatic or None,
        _names(attachments),
        words,
    )


def _names(cell: str) -> tuple[str, ...]:
    several = _SEVERAL.fullmatch(cell)
    if several:
        return (several[2],) * int(several[1])
    return tuple(name.strip() for name in cell.split(";") if name.strip())


def _told(signature: Mapping[str, str]) -> str:
    return signature["state"] + ("/part" if signature["covers"] == "part" else "")


def _fits(value: str, pattern: str) -> bool:
    return fnmatchcase(value, _AS_IT_IS.sub("[[]", pattern).replace("?", "[?]"))
