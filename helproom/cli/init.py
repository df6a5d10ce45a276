# SPDX-License-Identifier: AGPL-3.0-or-later
"""`helproom init`: config, master key, OpenPGP keys and folders of a new help desk."""

import argparse
import base64
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from helproom.cli.answers import Answers, gather
from helproom.cli.firstconfig import write_config_text
from helproom.cli.terminal import say
from helproom.config.settings import read_settings
from mail.openpgp.keyring import Keyring
from storage.sealing.vault import new_master_key

KEY_DAYS = 730
_PASSPHRASE_BYTES = 32


class CannotInitialise(Exception):
    """Something is in the way; the text is a sentence for the sysadmin."""

    exit_code = os.EX_CANTCREAT


@dataclass(frozen=True)
class Layout:
    """Where everything of one help desk lies."""

    folder: Path

    @property
    def config(self) -> Path:
        """The config file."""
        return self.folder / "config.yaml"

    @property
    def secrets(self) -> Path:
        """The folder of the secret files."""
        return self.folder / "secrets"

    @property
    def gnupg(self) -> Path:
        """The isolated home of the queues' keys."""
        return self.folder / "gnupg"

    @property
    def public_keys(self) -> Path:
        """The folder of the queues' public keys, to be published."""
        return self.folder / "public-keys"

    @property
    def data(self) -> Path:
        """The folder of the database and the bot's session."""
        return self.folder / "data"

    @property
    def parts(self) -> tuple[Path, ...]:
        """All of them."""
        return (self.config, self.secrets, self.gnupg, self.public_keys, self.data)


def init(asked: argparse.Namespace) -> int:
    """Write everything, or nothing when something is there already."""
    layout = Layout(asked.folder.absolute())
    _refuse_to_overwrite(layout)
    answers = gather(asked)
    with _all_or_nothing(layout):
        _write(layout, answers)
    _say_what_comes_next(layout, answers)
    return os.EX_OK


def _refuse_to_overwrite(layout: Layout) -> None:
    there = [str(part) for part in layout.parts if os.path.lexists(part)]
    if there:
        raise CannotInitialise(f"Nothing was written, because this exists already: {', '.join(there)}.")


@contextmanager
def _all_or_nothing(layout: Layout) -> Iterator[None]:
    try:
        yield
    except BaseException:
        # None of them was there before, so all that is there now is ours.
        for part in layout.parts:
            if part.is_dir():
                shutil.rmtree(part, ignore_errors=True)
            else:
                part.unlink(missing_ok=True)
        raise


def _write(layout: Layout, answers: Answers) -> None:
    layout.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for folder in (layout.secrets, layout.gnupg, layout.data):
        folder.mkdir(mode=0o700)
    layout.public_keys.mkdir(mode=0o755)
    _write_private(layout.secrets / "master.key", _text(new_master_key()))
    passphrase = _text(os.urandom(_PASSPHRASE_BYTES))
    _write_private(layout.secrets / "openpgp.passphrase", passphrase)
    fingerprints = _make_keys(layout, answers, passphrase)
    _write_private(layout.config, write_config_text(answers, fingerprints))
    # What we have written must be what we can read.
    read_settings(layout.config)


def _text(secret: bytes) -> str:
    return base64.b64encode(secret).decode("ascii")


def _write_private(file: Path, text: str) -> None:
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text if text.endswith("\n") else f"{text}\n")
        stream.flush()
        os.fsync(stream.fileno())


def _make_keys(layout: Layout, answers: Answers, passphrase: str) -> dict[str, str]:
    """Make a key for each queue and write its public half; their fingerprints by language."""
    keyring = Keyring(layout.gnupg, passphrase=passphrase)
    fingerprints: dict[str, str] = {}
    try:
        for queue in answers.queues:
            made = keyring.make_key(f"{answers.role_name} <{queue.address}>", expires=KEY_DAYS)
            fingerprints[queue.language] = made
            (layout.public_keys / f"{queue.language}.asc").write_bytes(keyring.export_public_key(made))
    finally:
        keyring.close()
    return fingerprints


def _say_what_comes_next(layout: Layout, answers: Answers) -> None:
    say(f"Written: {layout.config}, and beside it secrets/, gnupg/, public-keys/ and data/.")
    say("")
    say("What comes next:")
    for number, step in enumerate(_steps(layout, answers), 1):
        say(f"  {number}. {step}")


def _steps(layout: Layout, answers: Answers) -> Iterator[str]:
    yield (
        f"Make the bot's account {answers.user_id} on your homeserver, and put its password into "
        f"{layout.secrets / 'matrix.password'} (chmod 600)."
    )
    yield (
        f"Put the password of {answers.submission_user} at {answers.submission_host} into "
        f"{layout.secrets / 'submission.password'} (chmod 600)."
    )
    yield "Let your mail server hand letters for these addresses to 127.0.0.1:2525 by LMTP."
    yield f"Keep a copy of {layout.secrets} and {layout.gnupg} in a safe place: without them nothing opens."
    yield f"Read {layout.config}, then try everything: helproom check --config {layout.config}"
    yield f"Publish the keys in {layout.public_keys}, and start: helproom run --config {layout.config}"
