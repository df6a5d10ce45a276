# SPDX-License-Identifier: AGPL-3.0-or-later
"""The demo tells a story that is true, and says so when it is not."""

import io
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from helproom.demo.findings import Findings, files_with

DEMO = [sys.executable, "-m", "helproom", "demo"]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name: the sockets of GnuPG's agent lie in it."""
    with tempfile.TemporaryDirectory(prefix="demo-") as made:
        yield Path(made)


def test_the_demo_keeps_every_promise_and_leaves_nothing_behind(folder: Path) -> None:
    done = subprocess.run(
        DEMO, env=_here(folder), capture_output=True, text=True, encoding="utf-8", timeout=200, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert "16 checks, 0 failed" in done.stdout
    assert "FAILED" not in done.stdout
    assert done.stderr == ""
    assert list(folder.iterdir()) == []


def test_the_demo_that_stays_says_how_to_log_in_and_ends_when_told(folder: Path) -> None:
    with subprocess.Popen(
        [*DEMO, "--stay"], env=_here(folder), stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if "The desk's log:" in line:
                [script] = folder.glob("helproom-*/letter")
                delivered = subprocess.run(["sh", script, "Is", "anybody", "there"], check=False)
                process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert "homeserver   http://127.0.0.1:" in said
    assert "users        you, colleague, admin\n" in said
    assert "held for 60 seconds" in said
    [line] = [line.strip() for line in said.split("\n") if line.strip().startswith("sh ")]
    assert line == f"sh {script} Is anybody there"
    assert delivered.returncode == 0
    assert list(folder.iterdir()) == []


def test_one_failed_check_fails_the_demo() -> None:
    findings = Findings()
    findings.check("The sky is blue", holds=True, seen="the sky")
    assert findings.exit_code == 0
    findings.check("It is encrypted", holds=False, seen="the bytes")
    assert findings.exit_code == 1
    written = io.StringIO()
    Console(file=written, width=100).print(findings.table())
    assert "2 checks, 1 failed" in written.getvalue()
    assert "FAILED" in written.getvalue()


def test_a_demo_without_checks_has_shown_nothing() -> None:
    assert Findings().exit_code == 1


def test_words_on_the_disk_are_found(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "database").write_bytes(b"\0\0ma cl\xc3\xa9 USB\0")
    (tmp_path / "other").write_bytes(b"nothing")
    assert files_with(tmp_path, ["absent", "clé"]) == {"database"}
    assert files_with(tmp_path, ["absent"]) == set()


def _here(folder: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(folder), "COLUMNS": "120", "PYTHONUNBUFFERED": "1"}
