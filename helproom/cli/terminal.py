# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the commands write for the person at the terminal, or for the next program in a pipe."""

import sys


def say(text: str) -> None:
    """Write one line to standard output."""
    sys.stdout.write(f"{text}\n")


def complain(text: str) -> None:
    """Write one line to standard error."""
    sys.stderr.write(f"{text}\n")
