# SPDX-License-Identifier: AGPL-3.0-or-later
"""Secrets: from private files or systemd's credentials, and from nowhere else."""

import base64
from pathlib import Path

import pytest

from helproom.config.credentials import Secret, SecretUnusable, read_master_key


def write_secret(file: Path, content: bytes, mode: int = 0o600) -> Secret:
    """Write a secret file."""
    file.write_bytes(content)
    file.chmod(mode)
    return Secret(file)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_private_file_is_read_without_its_line_end(tmp_path: Path, mode: int) -> None:
    assert write_secret(tmp_path / "s", b"word of pass \n", mode).read_text() == "word of pass"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_file_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(SecretUnusable, match="chmod 600"):
        write_secret(tmp_path / "s", b"x", mode).read_text()


@pytest.mark.parametrize("content", [b"", b" \n", b"x" * 70_000])
def test_a_file_that_holds_no_secret_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(SecretUnusable, match="empty or larger"):
        write_secret(tmp_path / "s", content).read_text()


def test_a_missing_file_and_a_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(SecretUnusable, match="does not exist"):
        Secret(tmp_path / "none").read_text()
    with pytest.raises(SecretUnusable, match="is no file"):
        Secret(tmp_path).read_text()


def test_a_systemd_credential_is_read_from_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_secret(tmp_path / "matrix", b"word\n", 0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert Secret(Path("matrix"), is_credential=True).read_text() == "word"
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    with pytest.raises(SecretUnusable, match="LoadCredential=matrix:"):
        Secret(Path("matrix"), is_credential=True).read_text()


def test_a_master_key_is_exactly_so_many_bytes_in_base64(tmp_path: Path) -> None:
    key = bytes(range(32))
    assert read_master_key(write_secret(tmp_path / "k", base64.b64encode(key) + b"\n"), 32) == key
    for wrong in (base64.b64encode(key[1:]), b"not base64!"):
        with pytest.raises(SecretUnusable, match="does not hold a master key"):
            read_master_key(write_secret(tmp_path / "k", wrong), 32)
