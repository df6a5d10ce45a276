# SPDX-License-Identifier: AGPL-3.0-or-later
"""`helproom search` as a sysadmin types it."""

import asyncio
import json
from pathlib import Path

import pytest

from helproom import logs
from helproom.__main__ import main
from helproom.config import for_desk
from helproom.config.settings import read_settings
from storage.migrating import migrate
from tests.worlds.desk import Desk

SECRETS = ("matrix.password", "submission.password")


@pytest.fixture(scope="module", name="config")
def make_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A desk as init makes it, with two tickets."""
    folder = tmp_path_factory.mktemp("p") / "d"
    made = ["init", "--folder", str(folder), "--yes", "--domain", "example.org", "--queue", "en"]
    assert main(made) == 0
    for name in SECRETS:
        (folder / "secrets" / name).touch(mode=0o600)
        (folder / "secrets" / name).write_text("hunter2")
    asyncio.run(_fill(folder / "config.yaml"))
    return folder / "config.yaml"


async def _fill(config: Path) -> None:
    settings = read_settings(config)
    settings.data_dir.mkdir(exist_ok=True)
    units = for_desk.open_units(settings)
    await migrate(units.engine)
    desk = Desk(units)
    await desk.ticket("My wireless card fails.", tails_version="7.1")
    await desk.ticket("The screen stays black.")
    await units.close()


@pytest.fixture(autouse=True)
def keep_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    # It is for a whole process, and this one runs other tests, too.
    monkeypatch.setattr(logs, "set_up", lambda _settings: None)


def test_tickets_are_found_as_a_table_and_as_json(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "--config", str(config), "--json", "wireless", "version:7"]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    found = json.loads(line)
    assert (found["ticket"], found["version"]) == (1, "7.1")
    assert "wireless card" in found["snippet"]
    assert main(["search", "--config", str(config), "black"]) == 0
    assert "The screen stays black." in capsys.readouterr().out
    assert main(["search", "--config", str(config), "--", "-tag:none", "bluetooth"]) == 0
    assert "Nothing was found." in capsys.readouterr().out


def test_what_is_wrong_in_a_search_is_a_sentence(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "--config", str(config), "vers:7"]) == 65
    assert "Do you mean `version:`" in capsys.readouterr().err
