# SPDX-License-Identifier: AGPL-3.0-or-later
"""`helproom run` as a program of its own, beside a real homeserver: what it logs, and how it stops."""

import json
import os
import signal
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from helproom.demo.homeserver import free_port
from tests.helproom.cli.test_commands import change, give, make
from tests.services.synapse import Homeserver

LETTER = (
    b"From: Kim <kim@user.example>\r\nSubject: Kim's secret\r\nMessage-ID: <1@user.example>\r\n\r\nHello\r\n"
)


@dataclass
class Running:
    """A desk that runs as a process, and the lines it has logged."""

    process: "subprocess.Popen[str]"
    port: int
    lines: list[dict[str, object]] = field(default_factory=list)

    def wait_for(self, event: str) -> dict[str, object]:
        """Read until such a line comes."""
        assert self.process.stderr is not None
        for text in self.process.stderr:
            self.lines.append(json.loads(text))
            if self.lines[-1]["event"] == event:
                return self.lines[-1]
        raise AssertionError(f"It ended without “{event}”: {self.lines}")

    def stop(self) -> int:
        """Stop it as systemd does; return its exit code, and read what it says to the end."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.stderr is not None
        self.lines += [json.loads(text) for text in self.process.stderr]
        return self.process.wait(timeout=60)


@pytest.fixture
def running(tmp_path: Path, synapse: Homeserver) -> Iterator[Running]:
    """A new desk that is ready."""
    bot = synapse.register(f"run{free_port()}", "hunter2")
    folder, port = tmp_path / "d", free_port()
    assert make(folder, "--homeserver", synapse.url, "--user-id", bot).code == 0
    change(folder / "config.yaml", "127.0.0.1:2525", f"127.0.0.1:{port}")
    give(folder, "matrix.password", "hunter2")
    give(folder, "submission.password", "hunter2")
    command = [sys.executable, "-m", "helproom", "run", "--config", str(folder / "config.yaml")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        found = Running(process, port)
        try:
            found.wait_for("ready")
            yield found
        finally:
            process.kill()


def test_a_letter_leaves_lines_without_words_and_neither_a_hangup_nor_a_stop_is_an_error(
    running: Running,
) -> None:
    running.process.send_signal(signal.SIGHUP)
    with smtplib.LMTP("127.0.0.1", running.port) as door:
        door.sendmail("kim@user.example", ["help@example.org"], LETTER)
    kept, answered = running.wait_for("letter.kept"), running.wait_for("letter.answered")
    opened, carried = running.wait_for("letter.opened"), running.wait_for("outbox.carried")
    assert (kept["letter"], kept["door"], kept["queue"], kept["came_again"]) == (1, "lmtp", "en", False)
    assert answered["codes"] == ["250"]
    assert (opened["letter"], opened["encryption"]) == (1, "none")
    assert isinstance(carried["row"], int)
    assert all(isinstance(line["ms"], int) for line in (kept, answered, opened, carried))
    assert running.stop() == os.EX_OK
    assert [line for line in running.lines if line["level"] in {"error", "critical"}] == []
    assert not any(word in json.dumps(running.lines) for word in ("hunter2", "kim", "Kim", "help@"))
