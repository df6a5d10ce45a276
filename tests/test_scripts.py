# SPDX-License-Identifier: AGPL-3.0-or-later
"""The scripts that set a machine up, and the unit that runs Helproom on it."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
UNIT = ROOT / "systemd/helproom.service"
PYTHON = ["env", f"PYTHON={sys.executable}"]


def run(*command: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run a script without a choice of Python from outside."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHON"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=kept, timeout=120)


def is_for_all(program: Path) -> bool:
    """Whether every user may run it."""
    return all(folder.stat().st_mode & 0o001 for folder in (program.resolve(), *program.resolve().parents))


def test_a_python_that_every_user_can_run_is_preferred_and_named() -> None:
    done = run(ROOT / "scripts/python", "--tell")
    chosen = Path(done.stdout.strip())
    assert f"Python is {chosen}: " in done.stderr
    if Path("/usr/bin/python3.11").exists():
        assert is_for_all(chosen)
        assert "every user can run it" in done.stderr
    assert run(ROOT / "scripts/python").stderr == ""


def test_the_python_that_is_asked_for_is_taken_or_refused(tmp_path: Path) -> None:
    assert run(*PYTHON, ROOT / "scripts/python").stdout.strip().startswith(f"{sys.base_prefix}/bin/python")
    old = tmp_path / "old"
    old.write_text("#!/bin/sh\nexit 0\n")
    old.chmod(0o755)
    done = run("env", f"PYTHON={old}", ROOT / "scripts/python")
    assert done.returncode == 1
    assert done.stderr == f"PYTHON names {old}, which is no Python 3.11, 3.12 or 3.13.\n"


def test_an_environment_of_another_python_is_made_anew_and_others_stay(tmp_path: Path) -> None:
    python = tmp_path / "venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho /elsewhere 3 12\n")
    python.chmod(0o755)
    done = run(*PYTHON, ROOT / "scripts/venv", tmp_path / "venv")
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        0, f"Making {tmp_path / 'venv'} anew: it is broken, or of another Python.",
    )  # fmt: skip
    assert run(python, "-c", "import sys; print(sys.base_prefix)").stdout.strip() == sys.base_prefix
    (tmp_path / "venv/kept").touch()
    assert run(*PYTHON, ROOT / "scripts/venv", tmp_path / "venv").stderr == ""
    assert (tmp_path / "venv/kept").exists()


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Path]:
    """The code in a folder that every user can enter, if that is so for the tests' own."""
    folder = Path("/dev/shm" if os.access("/dev/shm", os.W_OK) else tmp_path, f"clone{os.getpid()}")
    (folder / "bot").mkdir(parents=True)
    (folder / "bot/a.py").touch()
    for path in (folder, folder / "bot"):
        path.chmod(0o755)
    (folder / "bot/a.py").chmod(0o644)
    yield folder
    shutil.rmtree(folder)


def test_a_clone_that_others_cannot_read_is_told(clone: Path) -> None:
    assert run(ROOT / "scripts/readable", clone).stderr == ""
    (clone / "bot/a.py").chmod(0o600)
    assert run(ROOT / "scripts/readable", clone).stderr == (
        f"Other users cannot read {clone}/bot/a.py, so Helproom cannot run as a user of its own: "
        f"chmod -R go+rX {clone}\n"
    )
    (clone / "bot").chmod(0o700)
    assert f"cannot read {clone}/bot," in run(ROOT / "scripts/readable", clone).stderr
    clone.chmod(0o700)
    assert f"cannot enter {clone}, " in run(ROOT / "scripts/readable", clone / "bot").stderr


def test_the_unit_fits_what_init_writes_and_what_the_page_for_admins_says(tmp_path: Path) -> None:
    text = UNIT.read_text()
    folder = re.search(r"--folder (\S+)", (ROOT / "docs/admins.md").read_text())
    assert folder is not None
    init = [sys.executable, "-m", "helproom", "init", "--yes", "--domain", "example.org"]
    assert run(*init, "--folder", tmp_path / "d").returncode == 0
    named = [Path(found).relative_to(folder[1]) for found in re.findall(rf"{folder[1]}/\S+", text)]
    assert named == [Path("config.yaml")]
    assert all((tmp_path / "d" / each).exists() for each in named)
    assert "LoadCredential" not in text
    assert f"StateDirectory={Path(folder[1]).name}" in text
    assert "ExecStart=/opt/helproom/.venv/bin/helproom run\n" in text


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd")
def test_systemd_understands_the_unit() -> None:
    done = run("systemd-analyze", "verify", UNIT)
    lines = [line for line in done.stderr.splitlines() if "is not executable" not in line]
    assert lines == []
