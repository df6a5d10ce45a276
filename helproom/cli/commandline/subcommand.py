# SPDX-License-Identifier: AGPL-3.0-or-later
"""How a subcommand is declared, and how it becomes a parser."""

import argparse
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

CONFIG_HELP = "the config file"


@dataclass(frozen=True)
class Argument:
    """One argument, as `ArgumentParser.add_argument` takes it."""

    names: tuple[str, ...]
    options: Mapping[str, Any]


def argument(*names: str, **options: Any) -> Argument:
    """Return an argument; raises TypeError without a name or a help text."""
    if not names or not options.get("help"):
        raise TypeError(f"An argument needs a name and a help text: {names}")
    return Argument(names, options)


@dataclass(frozen=True)
class Subcommand:
    """A subcommand; one with `actions` is a family of them."""

    name: str
    text: str
    """What it does, as `--help` shows it; without a full stop."""
    work: str
    """Where its function is, as "cli.keys:list_keys" below `helproom`; it returns an exit code."""
    arguments: tuple[Argument, ...] = ()
    actions: tuple["Subcommand", ...] = ()

    def run(self, asked: argparse.Namespace) -> int:
        """Import its function and run it."""
        return self.find()(asked)

    def find(self) -> Callable[[argparse.Namespace], int]:
        """Return its function. Raises ImportError or AttributeError."""
        module, _, function = self.work.partition(":")
        found: Callable[[argparse.Namespace], int] = getattr(import_module(f"helproom.{module}"), function)
        return found


def join(*subcommands: Subcommand) -> tuple[Subcommand, ...]:
    """Return the subcommands; raises TypeError when two have the same name."""
    double = [name for name, count in Counter(each.name for each in subcommands).items() if count > 1]
    if double:
        raise TypeError(f"Two subcommands have one name: {double}")
    return subcommands


def add_all(parsers: Any, subcommands: Sequence[Subcommand]) -> None:
    """Add subcommands to what `ArgumentParser.add_subparsers` has returned."""
    for each in subcommands:
        parser = parsers.add_parser(each.name, help=each.text, description=f"{each.text}.")
        # So that it may stand before and after the subcommand.
        parser.add_argument(
            "--config", type=Path, metavar="FILE", default=argparse.SUPPRESS, help=CONFIG_HELP
        )
        parser.set_defaults(work=each.run)
        for one in each.arguments:
            parser.add_argument(*one.names, **one.options)
        if each.actions:
            add_all(parser.add_subparsers(dest="action", required=True, metavar="ACTION"), each.actions)
