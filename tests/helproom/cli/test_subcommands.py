# SPDX-License-Identifier: AGPL-3.0-or-later
"""Each subcommand that is declared can be run."""

from collections.abc import Iterable, Iterator

import pytest

from helproom.cli.check import CHECKS
from helproom.cli.check import join as join_checks
from helproom.cli.commandline.subcommand import Subcommand, argument, join
from helproom.cli.commandline.subcommands import SUBCOMMANDS


def every(subcommands: Iterable[Subcommand]) -> Iterator[Subcommand]:
    for each in subcommands:
        yield each
        yield from every(each.actions)


@pytest.mark.parametrize("subcommand", list(every(SUBCOMMANDS)), ids=lambda each: each.work)
def test_its_function_is_there(subcommand: Subcommand) -> None:
    assert callable(subcommand.find())


def test_two_of_one_name_are_an_error_of_ours() -> None:
    with pytest.raises(TypeError, match="one name"):
        join(Subcommand("run", "Run", "cli.run:run"), Subcommand("run", "Run again", "cli.run:run"))
    with pytest.raises(TypeError, match="help text"):
        argument("--quiet")


def test_two_checks_of_one_name_are_an_error_of_ours() -> None:
    (name, check), *_ = CHECKS
    with pytest.raises(TypeError, match="one name"):
        join_checks((name, check), (name, check))
