# SPDX-License-Identifier: AGPL-3.0-or-later
"""`helproom inspect-mail`: what Helproom makes of a mail, without config, database or network."""

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from desk.letters.opened import (
    Attachment,
    Encryption,
    EncryptionState,
    Headers,
    Opened,
    Unopenable,
    WhisperBack,
)
from desk.world import Refusal
from helproom import logs
from helproom.cli import inspect_output
from helproom.config.credentials import SecretUnusable
from helproom.config.sections.log import LogSection
from mail.limits import LETTER_BYTES
from mail.openpgp.borrowed import borrow
from mail.reading.open_letter import open_letter

_NOT_LOOKED_AT = "Nothing in it was looked at."


def inspect_mail(asked: argparse.Namespace) -> int:
    """Describe one mail; 0 for whatever could be described, broken or hostile as it may be."""
    logs.set_up(LogSection(level="error"))
    os.umask(0o077)
    raw = _read(asked.file)
    with borrow(_home(asked.gnupghome), passphrase=_passphrase(asked.passphrase_file)) as keyring:
        try:
            opened = open_letter(raw, keyring)
        except Unopenable as why:
            opened = _unopened(str(why))
    description = describe(opened)
    if asked.json:
        sys.stdout.write(f"{json.dumps(description, ensure_ascii=True, indent=2)}\n")
    else:
        inspect_output.tell(description)
    return os.EX_OK


def _read(file: str) -> bytes:
    """One byte more than a letter may have is enough to say that it has too many."""
    stream: IO[bytes]
    if file == "-":
        if sys.stdin is None:
            raise Refusal("Standard input is closed: name a file.")
        return sys.stdin.buffer.read(LETTER_BYTES + 1)
    with Path(file).open("rb") as stream:
        return stream.read(LETTER_BYTES + 1)


def _home(asked: Path | None) -> Path | None:
    """Return the folder with the keys: the one asked for, else GnuPG's own if there is one."""
    if asked is not None:
        if not asked.is_dir():
            raise SecretUnusable("The GnuPG home that was asked for is no folder.")
        return asked
    usual = Path(os.environ.get("GNUPGHOME") or Path.home() / ".gnupg")
    return usual if usual.is_dir() else None


def _passphrase(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise SecretUnusable("The passphrase file does not hold text.") from None


def _unopened(reason: str) -> Opened:
    return Opened(
        form="unopenable",
        encryption=Encryption(EncryptionState.BROKEN, _NOT_LOOKED_AT),
        headers=Headers(),
        text="",
        problems=(reason,),
    )


def describe(opened: Opened) -> dict[str, Any]:
    """Return what a letter holds as values that JSON knows."""
    headers = opened.headers
    return {
        "form": opened.form,
        "encryption": {"state": opened.encryption.state.value, "detail": opened.encryption.detail},
        "signatures": [
            {
                "state": one.state.value,
                "fingerprint": one.fingerprint,
                "covers": one.covers,
                "detail": one.detail,
            }
            for one in opened.signatures
        ],
        "headers": {**asdict(headers), "from": headers.sender, "from_name": headers.sender_name},
        "text": opened.text,
        "unprotected_text": opened.unprotected_text,
        "attachments": [_describe_file(one) for one in opened.attachments],
        "keys": [
            {"fingerprint": one.fingerprint, "source": one.source, "problem": one.problem}
            for one in opened.keys
        ],
        "whisperback": None if opened.whisperback is None else _describe_report(opened.whisperback, opened),
        "automatic": None if opened.automatic is None else opened.automatic.value,
        "language": None if opened.language is None else asdict(opened.language),
        "problems": list(opened.problems),
    }


def _describe_file(file: Attachment) -> dict[str, Any]:
    return {
        "name": file.name,
        "type": file.type,
        "size": file.size,
        "looks_like": file.looks_like,
        "danger": file.danger,
        "about": file.about,
    }


def _describe_report(report: WhisperBack, opened: Opened) -> dict[str, Any]:
    """Return a report's fields, its language among them, and the names of its debugging sections."""
    fields = asdict(report)
    fields["sections"] = [name for name, _ in report.sections]
    fields["lang"] = None if opened.language is None else opened.language.code
    return fields
