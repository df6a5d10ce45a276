# SPDX-License-Identifier: AGPL-3.0-or-later
"""The config: what is right is read, and what is wrong gets its line and a sentence."""

import datetime as dt
import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from desk.config import Relay
from helproom.config import for_desk
from helproom.config.complaints import _model_in
from helproom.config.configfile import ConfigTrouble
from helproom.config.settings import Settings, find_config, read_settings
from tests.helproom.configs import RIGHT, write_config
from tests.helproom.mistakes import WRONG

EXAMPLE = Path(__file__).parents[3] / "config.yaml.example"


def problems_of(file: Path) -> list[str]:
    """Read a config that is wrong and return its problems without the file's name."""
    with pytest.raises(ConfigTrouble) as caught:
        read_settings(file)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(str(file)) for line in lines)
    return [line.removeprefix(str(file)).lstrip(":").strip() for line in lines]


@pytest.mark.parametrize(("old", "new", "sentence"), WRONG)
def test_each_mistake_gets_its_line_its_key_and_a_sentence(
    tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    problems = problems_of(write_config(tmp_path, old, new))
    assert any(problem.startswith(sentence) for problem in problems), problems
    assert "hunter2" not in " ".join(problems)


def test_all_mistakes_are_told_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    text = (
        RIGHT.replace("data_dir", "data_dri").replace("mon-fri", "never").replace("hold: 60s", "hold: soon")
    )
    file = tmp_path / "config.yaml"
    file.write_text(text)
    places = [problem.split(": ")[1] for problem in problems_of(file)]
    assert sorted(places[:2]) == ["data_dir", "data_dri"]
    assert places[2:] == ["shifts[1].days", "replies.hold"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "There is no such file."), (b"", "The file is empty."), (b"- a\n", "1: The file"),
     (b"\xff\xfe", "The file is not UTF-8 text.")],
)  # fmt: skip
def test_a_file_that_is_no_config_is_told(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    file = tmp_path / "config.yaml"
    if content is not None:
        file.write_bytes(content)
    [problem] = problems_of(file)
    assert problem.startswith(sentence)


def test_the_right_config_becomes_a_house(tmp_path: Path) -> None:
    settings = read_settings(write_config(tmp_path))
    config = for_desk.desk_config(settings)
    assert settings.data_dir == tmp_path / "data"
    assert for_desk.database_url(settings) == f"sqlite:///{tmp_path}/data/helproom.db"
    assert config.agents == {"@ana:example.org", "@admin:example.org"}
    assert config.queue("de").address == "hilfe@example.org"
    assert config.shifts[0].weekdays == {0, 1, 2, 3, 4}
    assert config.shifts[0].start == dt.time(9)
    assert config.replies.hold == dt.timedelta(seconds=60)
    assert config.intake.rate is not None
    assert "devnull@tails.boum.org" in config.intake.rate.crowds


def test_days_may_span_a_weekend(tmp_path: Path) -> None:
    settings = read_settings(write_config(tmp_path, "mon-fri", "[sat-mon, wed]"))
    assert settings.shifts[0].days == {5, 6, 0, 2}


def test_a_database_password_comes_from_a_file_and_is_quoted(tmp_path: Path) -> None:
    password = tmp_path / "database.password"
    password.touch(mode=0o600)
    password.write_text("p@ss:w/rd\n")
    lines = "data_dir: data\ndatabase: postgresql://desk@db.example.org/desk\n"
    lines += "database_password_file: database.password"
    settings = read_settings(write_config(tmp_path, "data_dir: data", lines))
    assert for_desk.database_url(settings) == "postgresql://desk:p%40ss%3Aw%2Frd@db.example.org/desk"
    assert "p@ss" not in repr(settings)


def test_the_config_is_looked_for_where_the_manual_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HELPROOM_CONFIG", raising=False)
    write_config(tmp_path)
    assert find_config(None) == Path("config.yaml")
    monkeypatch.setenv("HELPROOM_CONFIG", "/elsewhere")
    assert find_config(None) == Path("/elsewhere")
    assert find_config(Path("asked")) == Path("asked")


def keys_of(model: type[BaseModel]) -> set[str]:
    """All keys that the config may hold, sections included."""
    keys: set[str] = set()
    for name, field in model.model_fields.items():
        key = field.alias or name
        section = _model_in(model, key)
        keys |= {key} | (keys_of(section) if section else set())
    return keys


def test_the_example_is_a_right_config() -> None:
    settings = read_settings(EXAMPLE)
    assert [queue.name for queue in settings.queues] == ["en", "de"]
    assert settings.redmine is not None


def test_the_example_explains_every_key() -> None:
    text = EXAMPLE.read_text()
    found = keys_of(Settings)
    assert {"room_version", "fingerprint", "from", "api_key_file", "listen", "form"} <= found
    missing = [key for key in found if not re.search(rf"^[ #-]*{key}:", text, re.MULTILINE)]
    assert missing == []


def test_a_schleuder_list_counts_with_address_and_key_and_is_no_flood(tmp_path: Path) -> None:
    lines = 'mail:\n  schleuder: [{address: Reports@Lists.example.org, fingerprint: "' + "AB" * 20 + '"}]\n'
    config = for_desk.desk_config(read_settings(write_config(tmp_path, "mail:\n", lines)))
    assert config.intake.relays == (Relay("reports@lists.example.org", "AB" * 20),)
    assert config.intake.rate is not None
    assert {"reports@lists.example.org", "reports-bounce@lists.example.org"} <= set(config.intake.rate.crowds)
    assert for_desk.desk_config(read_settings(write_config(tmp_path))).intake.relays == ()
