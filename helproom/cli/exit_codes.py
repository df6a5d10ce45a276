# SPDX-License-Identifier: AGPL-3.0-or-later
"""Foreseeable failures as one sentence and an exit code of sysexits.h.

A failure is foreseeable whose class has an `exit_code`; its text is a sentence for the person who reads it.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from helproom.cli.terminal import complain


@dataclass(frozen=True)
class Trouble:
    """What the person at the terminal reads, and the code with which the program ends."""

    code: int
    sentence: str


def explain(error: BaseException) -> Trouble | None:
    """Return sentence and code of a foreseeable failure, or of the first in a group; None for our own."""
    if isinstance(error, BaseExceptionGroup):
        return next(filter(None, map(explain, error.exceptions)), None)
    code = getattr(error, "exit_code", None)
    if code is not None:
        return Trouble(code, str(error))
    if isinstance(error, OSError) and error.errno is not None:
        return Trouble(os.EX_OSERR, _of_system(error))
    return None


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
