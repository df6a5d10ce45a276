# SPDX-License-Identifier: AGPL-3.0-or-later
"""`helproom init`: writes all or nothing, and refuses what cannot work."""

import os
from pathlib import Path

import pytest

from helproom.config.settings import read_settings
from tests.helproom.cli.test_commands import helproom, make


def test_init_writes_private_files_and_says_what_comes_next(tmp_path: Path) -> None:
    done = make(tmp_path / "d")
    folder = tmp_path / "d"
    assert done.code == 0
    assert "What comes next" in done.out
    modes = {
        path.name: path.stat().st_mode & 0o777
        for path in (*folder.iterdir(), *(folder / "secrets").iterdir())
    }
    assert modes == {
        "config.yaml": 0o600, "secrets": 0o700, "gnupg": 0o700, "data": 0o700, "public-keys": 0o755,
        "master.key": 0o600, "openpgp.passphrase": 0o600,
    }  # fmt: skip
    assert "BEGIN PGP PUBLIC KEY BLOCK" in (folder / "public-keys" / "en.asc").read_text()
    settings = read_settings(folder / "config.yaml")
    keyring = settings.mail.open_keyring()
    assert [key.fingerprint for key in keyring.secret_keys()] == [settings.queues[0].fingerprint]
    keyring.close()


def test_init_asks_for_what_no_flag_says(tmp_path: Path) -> None:
    answers = b"example.net\nen:desk@example.net fr\n" + b"\n" * 8
    done = helproom("init", "--folder", tmp_path / "d", data=answers)
    assert done.code == 0, done.err
    assert "Your mail domain (example.org)" in done.err
    queues = read_settings(tmp_path / "d" / "config.yaml").queues
    assert [queue.address for queue in queues] == ["desk@example.net", "help-fr@example.net"]


def test_init_with_nobody_to_ask_is_told(tmp_path: Path) -> None:
    done = helproom("init", "--folder", tmp_path / "d")
    assert done.code == os.EX_USAGE
    assert "There is nobody to ask" in done.err


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("precious")
    done = make(tmp_path)
    assert done.code == os.EX_CANTCREAT
    assert done.err.startswith("Nothing was written, because this exists already")
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]
    assert (tmp_path / "config.yaml").read_text() == "precious"


@pytest.mark.parametrize(
    "flags",
    [("--queue", "english:a@b.org"), ("--homeserver", "http://matrix.org"), ("--admin", "ana"),
     ("--queue", "en:a", "--queue", "de"), ("--queue", "en", "--queue", "en"), ("--role-name", "a <b@c>"),
     ("--queue", "xx"), ("--queue", "en:help@a.org", "--queue", "de:Help@a.org"),
     ("--homeserver", "https://matrix.example.org:99999"), ("--homeserver", "https://matrix.example.org:"),
     *(("--submission", each) for each in ("mail.org:smtp", "mail.org:0", "mail.org:65536", "mail.org:",
       ":587", "mail org:587", "2001:db8::1:587"))],
)  # fmt: skip
def test_init_refuses_wrong_flags_and_writes_nothing(tmp_path: Path, flags: tuple[str, ...]) -> None:
    done = make(tmp_path / "d", *flags)
    assert done.code == os.EX_USAGE
    assert done.err.startswith(flags[0])
    assert not (tmp_path / "d").exists()


def test_init_without_questions_needs_a_domain(tmp_path: Path) -> None:
    done = helproom("init", "--folder", tmp_path / "d", "--yes")
    assert done.code == os.EX_USAGE
    assert done.err.startswith("--domain: With --yes nobody is asked")
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize(
    ("said", "host", "port"),
    [
        ("mail.example.org", "mail.example.org", 587),
        ("localhost:2587", "localhost", 2587),
        ("[::1]:25", "::1", 25),
    ],
)
def test_init_reads_a_mail_server_and_its_port(tmp_path: Path, said: str, host: str, port: int) -> None:
    assert make(tmp_path / "d", "--submission", said).code == 0
    submission = read_settings(tmp_path / "d" / "config.yaml").mail.submission
    assert (submission.host, submission.port) == (host, port)


def test_init_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["deep" * 10] * 5)
    done = make(deep)
    assert done.code in {0, os.EX_UNAVAILABLE}  # with a /run/user the agent's socket lies elsewhere
    if done.code:
        assert "too long" in done.err
        assert list(deep.iterdir()) == []
