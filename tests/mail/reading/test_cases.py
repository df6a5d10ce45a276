# SPDX-License-Identifier: AGPL-3.0-or-later
"""Small letters that were read wrongly once, each beside what is right: `tests/mails/cases/`."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from helproom.cli.inspect_mail import describe
from mail.openpgp.keyring import Keyring
from mail.reading.open_letter import open_letter

CASES = Path(__file__).parent.parent.parent / "mails" / "cases"
KEYS = CASES / "TEST-ONLY-keys-secret.asc"


@pytest.fixture(scope="module", name="keyring")
def make_keyring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyring]:
    """A desk that has the keys of the cases."""
    home = tmp_path_factory.mktemp("cases", numbered=True)
    home.chmod(0o700)
    subprocess.run(["gpg", "--homedir", home, "--batch", "--quiet", "--import", KEYS], check=True)
    keyring = Keyring(home, passphrase=None)
    yield keyring
    keyring.close()


Said = dict[str, Any]
CHECKS: dict[str, Callable[[Any, Said], bool]] = {
    "subject": lambda wanted, said: said["headers"]["subject"] == wanted,
    "from": lambda wanted, said: said["headers"]["from"] == wanted,
    "text_has": lambda wanted, said: wanted in said["text"],
    "subject_or_text_has": lambda wanted, said: wanted in said["headers"]["subject"] + "\n" + said["text"],
    "encryption": lambda wanted, said: said["encryption"]["state"] == wanted,
    "signature": lambda wanted, said: [one["state"] for one in said["signatures"]] == [wanted],
    "automatic": lambda wanted, said: said["automatic"] == wanted,
    "automatic_any": lambda _, said: said["automatic"] is not None,
    "problems_any": lambda _, said: bool(said["problems"] or said["headers"]["mismatch"]),
    "problems_has": lambda wanted, said: any(wanted in problem for problem in said["problems"]),
    "problems_not": lambda wanted, said: not any(wanted in problem for problem in said["problems"]),
    "note": lambda _wanted, _said: True,
}
"""What each key of an expected.json asks of what `helproom inspect-mail --json` says."""


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.iterdir() if path.is_dir()))
def test_a_letter_is_read_as_is_right(keyring: Keyring, case: str) -> None:
    said = describe(open_letter((CASES / case / "mail.eml").read_bytes(), keyring))
    wanted = json.loads((CASES / case / "expected.json").read_text())
    wrong = {name: value for name, value in wanted.items() if not CHECKS[name](value, said)}
    assert wrong == {}, said
