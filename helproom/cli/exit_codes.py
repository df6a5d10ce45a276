# SPDX-License-Identifier: AGPL-3.0-or-later
"""Foreseeable failures as one sentence and an exit code of sysexits.h."""

import os
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from helproom.cli.terminal import complain


@dataclass(frozen=True)
class Trouble:
    """What the person at the terminal reads, and the code with which the program ends."""

    code: int
    sentence: str


_CODES = (
    ("helproom.config.configfile", "ConfigTrouble", os.EX_CONFIG),
    ("helproom.config.credentials", "SecretUnusable", os.EX_CONFIG),
    ("helproom.cli.init", "CannotInitialise", os.EX_CANTCREAT),
    ("helproom.cli.answers", "BadAnswer", os.EX_USAGE),
    ("helproom.demo.homeserver", "HomeserverError", os.EX_UNAVAILABLE),
    ("desk.world", "Refusal", os.EX_DATAERR),
    ("desk.outbox.outcomes", "StopDelivery", os.EX_CONFIG),
    ("storage.engine.single_use", "DatabaseInUse", os.EX_TEMPFAIL),
    ("storage.engine.troubles", "StorageTrouble", os.EX_UNAVAILABLE),
    ("mail.openpgp.keyring", "KeyRefused", os.EX_DATAERR),
    ("mail.openpgp.keyring", "KeyringUnusable", os.EX_UNAVAILABLE),
    ("bot.errors", "LoginRefused", os.EX_CONFIG),
    ("bot.errors", "SessionGone", os.EX_CONFIG),
    ("bot.errors", "ForeignIdentity", os.EX_CONFIG),
    ("bot.errors", "ApprovalNeeded", os.EX_CONFIG),
    ("bot.errors", "StoreInUse", os.EX_TEMPFAIL),
    ("bot.errors", "MatrixError", os.EX_UNAVAILABLE),
)
"""By name, so that explaining a failure imports nothing that had no part in it."""


def explain(error: BaseException) -> Trouble | None:
    """Return sentence and code of a foreseeable failure; None when it is a fault of ours."""
    if isinstance(error, BaseExceptionGroup):
        return next(filter(None, map(explain, error.exceptions)), None)
    for module, name, code in _CODES:
        if any(_is_called(kind, module, name) for kind in type(error).__mro__):
            return Trouble(code, str(error))
    if isinstance(error, OSError) and error.errno is not None:
        return Trouble(os.EX_OSERR, _of_system(error))
    return None


def _is_called(kind: type, module: str, name: str) -> bool:
    return kind.__name__ == name and kind is getattr(import_module(module), name)


def _of_system(error: OSError) -> str:
    where = f" ({error.filename})" if error.filename else ""
    return f"The operating system says: {error.strerror}{where}."


def report(error: BaseException) -> int:
    """Say what happened and return the exit code; a fault of ours is said with its places, not its words."""
    trouble = explain(error)
    if trouble is not None:
        complain(trouble.sentence)
        return trouble.code
    complain(f"Helproom broke: {type(error).__name__} at {_deepest(error)}. This is a fault in its code.")
    return os.EX_SOFTWARE


def _deepest(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "?"
