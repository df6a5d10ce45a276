# SPDX-License-Identifier: AGPL-3.0-or-later
"""The console script: reads the command line and hands over; each command imports only what it needs."""

import argparse
import os
import resource
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from helproom.cli.commandline.subcommand import CONFIG_HELP, add_all
from helproom.cli.commandline.subcommands import SUBCOMMANDS

_EPILOG = "The config is the first of: --config, $HELPROOM_CONFIG, ./config.yaml, /etc/helproom/config.yaml."


class _Parser(argparse.ArgumentParser):
    """Ends with the codes of sysexits.h; a mail server that calls `deliver` wrongly must keep its letter."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        is_delivery = self.prog.endswith(" deliver")
        self.exit(os.EX_TEMPFAIL if is_delivery else os.EX_USAGE, f"{self.prog}: {message}\n")


class _Version(argparse.Action):
    """As argparse's own, but the number is looked up only when it is asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:  # noqa: A002 - argparse's
        super().__init__(option_strings, dest, nargs=0, help=help, default=argparse.SUPPRESS)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """Print it and end."""
        number = import_module("importlib.metadata").version("helproom")
        sys.stdout.write(f"helproom {number} (Python {sys.version.partition(' ')[0]})\n")
        parser.exit()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    # A core would hold keys and letters in clear.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    asked = _parser().parse_args(arguments)
    try:
        return int(asked.work(asked))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return os.EX_IOERR
    except Exception as error:  # noqa: BLE001 - a traceback would show words that are not for the terminal
        code: int = import_module("helproom.cli.exit_codes").report(error)
        return os.EX_TEMPFAIL if asked.command == "deliver" else code


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="helproom", description="A help desk in encrypted Matrix rooms.", epilog=_EPILOG)
    parser.add_argument("--config", type=Path, metavar="FILE", help=CONFIG_HELP)
    parser.add_argument("--version", action=_Version, help="show which Helproom this is, and end")
    add_all(parser.add_subparsers(dest="command", required=True, metavar="COMMAND"), SUBCOMMANDS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
