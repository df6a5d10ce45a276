# SPDX-License-Identifier: AGPL-3.0-or-later
"""Runs `helproom inspect-mail --json` on the mails of RT and notmuch and compares with the tables here.

python -m tests.corpora FOLDER...: unpacked sources of request-tracker5 5.0.3 or notmuch 0.37.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.corpora.table import read_table, row_for

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@dataclass(frozen=True)
class Corpus:
    """Where in a project's source its mails and keys are."""

    name: str
    mails: str
    folders: tuple[str, ...]
    keys: tuple[str, ...]
    aside: frozenset[str]
    """Files among them that are no mails."""
    passphrase: str = ""


RT = Corpus(
    name="rt",
    mails="t/data",
    folders=("gnupg/emails", "smime/mails", "emails"),
    keys=("t/data/gnupg/keys/rt-*.key",),
    aside=frozenset({"gnupg/emails/README"}),
    passphrase="rt-test",
)
NOTMUCH = Corpus(
    name="notmuch",
    mails="test/corpora",
    folders=("",),
    keys=("test/gnupg-secret-key.asc",),
    aside=frozenset({"README"}),
)


@contextmanager
def _home(corpus: Corpus, source: Path) -> Iterator[Path]:
    """Make a GnuPG home with all the keys of a corpus."""
    with tempfile.TemporaryDirectory(prefix="keys") as folder:
        home = Path(folder)
        gpg = ["gpg", "--homedir", folder, "--batch", "--quiet", "--pinentry-mode", "loopback"]
        try:
            for pattern in corpus.keys:
                for key in sorted(source.glob(pattern)):
                    command = [*gpg, "--passphrase", corpus.passphrase, "--import", str(key)]
                    subprocess.run(command, check=True, capture_output=True)
            (home / "passphrase").write_text(corpus.passphrase, encoding="utf-8")
            yield home
        finally:
            subprocess.run(["gpgconf", "--homedir", folder, "--kill", "all"], check=False)


def _inspect(mail: Path, home: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "helproom", "inspect-mail", str(mail), "--json"]
    command += ["--gnupghome", str(home), "--passphrase-file", str(home / "passphrase")]
    done = subprocess.run(command, capture_output=True, check=True, cwd=ROOT)
    described: dict[str, Any] = json.loads(done.stdout)
    return described


def _mails(corpus: Corpus, folder: Path) -> list[Path]:
    found = (path for each in corpus.folders for path in (folder / each).rglob("*") if path.is_file())
    return sorted(path for path in found if path.relative_to(folder).as_posix() not in corpus.aside)


def compare(corpus: Corpus, source: Path) -> int:
    """Tell each mail that is not as the table says, and how many there are."""
    folder, rows = source / corpus.mails, read_table(HERE / f"{corpus.name}.txt")
    mails = _mails(corpus, folder)
    wrong, seen = 0, set()
    with _home(corpus, source) as home, ThreadPoolExecutor(2) as pool:
        for mail, found in zip(mails, pool.map(lambda mail: _inspect(mail, home), mails), strict=True):
            name = mail.relative_to(folder).as_posix()
            row = row_for(rows, name)
            seen.add(row)
            faults = ["not in the table"] if row is None else row.faults(found)
            wrong += bool(faults)
            for fault in faults:
                _tell(f"{corpus.name}: {name}: {fault}")
    for row in rows:
        if row not in seen:
            wrong += 1
            _tell(f"{corpus.name}: {row.file}: no such mail")
    _tell(f"{corpus.name}: {len(mails)} mails, {wrong} not as the table says")
    return wrong


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(folders: list[str]) -> int:
    """Compare each folder; 64 if there is none with mails."""
    wrong, known = 0, 0
    for source in map(Path, folders):
        for corpus in (RT, NOTMUCH):
            if (source / corpus.mails / corpus.folders[0]).is_dir():
                known += 1
                wrong += compare(corpus, source)
    if not known:
        sys.stderr.write(f"{__doc__}\n")
        return 64
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
