# SPDX-License-Identifier: AGPL-3.0-or-later
"""The tables of `scripts/corpora` can be read, and a verdict that is another one is told."""

import pytest

from tests.corpora.__main__ import HERE
from tests.corpora.table import Row, read_table, row_for

FOUND = {
    "encryption": {"state": "ok", "detail": ""},
    "signatures": [{"state": "good", "covers": "part"}],
    "headers": {"subject": "[x] hello?", "protected": True},
    "automatic": "list",
    "attachments": [{"name": "a b.png"}, {"name": "c"}],
    "text": "some words",
    "unprotected_text": "",
}


def read(line: str, tmp_path) -> Row:
    (tmp_path / "table.txt").write_text(f"# file\n{line}\n")
    [row] = read_table(tmp_path / "table.txt")
    return row


@pytest.mark.parametrize("name", ["rt", "notmuch"])
def test_the_tables_can_be_read(name: str) -> None:
    rows = read_table(HERE / f"{name}.txt")
    assert len(rows) > 30
    assert {row.encryption for row in rows} == {"none", "ok", "undecryptable", "partial"} | (
        {"broken"} if name == "notmuch" else set()
    )


def test_a_mail_that_is_as_the_table_says_has_no_fault(tmp_path) -> None:
    row = read(r"dir/* | ok | good/part | \[x] he*? | protected | list | a b.png; c | words", tmp_path)
    assert row.faults(FOUND) == []
    assert row_for([row], "dir/mail") is row
    assert row_for([row], "other") is None


def test_whatever_is_otherwise_is_told(tmp_path) -> None:
    row = read("* | none | good | [x] hello | | | 2 × c | other", tmp_path)
    assert [fault.partition(":")[0] for fault in row.faults(FOUND)] == [
        "encryption",
        "signatures",
        "protected",
        "automatic",
        "attachments",
        "subject",
        "text without 'other'",
    ]
