# SPDX-License-Identifier: AGPL-3.0-or-later
"""What must hold for every file of the repository, whoever wrote it."""

import ast
import re
import subprocess
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
ASIDE = {"tests", "benchmarks", "fuzz"}
"""Packages that are not installed."""
LONGEST_FILE = 400
LONGEST_FUNCTION = 50
MOST_MODULES = 14
# Written in pieces, so that this file does not hold what it looks for.
REGISTRIES = [
    "pypi" + ".org",
    "python" + "hosted",
    "npm" + "js",
    "yarn" + "pkg",
    "deb." + "debian",
    "--find" + "-links",
]
MACHINES = [f"/{folder}/" for folder in ("work", "root", "opt" + "/pypi", "opt" + "/wheels")]


def list_files(*patterns: str) -> list[Path]:
    """Return the files that git has, and those that it would take."""
    # the folder may belong to somebody else, as it does where a container is handed a checkout
    git = ["git", "-c", f"safe.directory={ROOT}"]
    command = [*git, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return sorted(path for name in names.split("\0") if name and (path := ROOT / name).is_file())


def read_lock(name: str) -> dict[str, set[str]]:
    """Return the pinned versions of each package; a package can have one per platform."""
    pins: dict[str, set[str]] = {}
    for package, version in re.findall(
        r"(?m)^([a-z0-9-]+)(?:\[[a-z0-9,-]+\])?==(\S+)", (ROOT / f"requirements/{name}.txt").read_text()
    ):
        pins.setdefault(package, set()).add(version)
    return pins


def list_group(name: str) -> list[Requirement]:
    """Return the requirements of a dependency group (PEP 735) with those of the groups in it."""
    found = []
    for entry in PROJECT["dependency-groups"][name]:
        found += [Requirement(entry)] if isinstance(entry, str) else list_group(entry["include-group"])
    return found


def list_long_functions(path: Path) -> list[str]:
    """Return the functions of a file that are too long."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [
        f"{path.name}:{node.lineno} {node.name}"
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, functions) and (node.end_lineno or 0) - node.lineno >= LONGEST_FUNCTION
    ]


def test_no_file_names_a_registry_or_a_developers_machine() -> None:
    unwanted = re.compile("|".join(map(re.escape, REGISTRIES + MACHINES)).encode(), re.IGNORECASE)
    found = {path.relative_to(ROOT).as_posix(): unwanted.findall(path.read_bytes()) for path in list_files()}
    assert {name: hits for name, hits in found.items() if hits} == {}


def test_the_node_locks_record_no_download_addresses() -> None:
    locks = list((ROOT / "tests/services").glob("*/package-lock.json"))
    assert len(locks) == 2
    assert not [lock for lock in locks if '"resolved"' in lock.read_text()]


def test_every_python_file_begins_with_its_licence_and_a_docstring() -> None:
    licence = f"# SPDX-License-Identifier: {PROJECT['project']['license']}\n"
    bare = [
        path.relative_to(ROOT).as_posix()
        for path in list_files("*.py")
        if not path.read_text().startswith(licence) or not ast.get_docstring(ast.parse(path.read_bytes()))
    ]
    assert bare == []


def test_no_python_file_and_no_function_is_too_long() -> None:
    files = list_files("*.py")
    assert [path.name for path in files if len(path.read_text().splitlines()) > LONGEST_FILE] == []
    # a migration is a list of tables and columns, not a piece of logic
    logic = [path for path in files if path.parent.name != "versions"]
    assert [function for path in logic for function in list_long_functions(path)] == []


@pytest.mark.parametrize(("lock", "group"), [("run", "build"), ("demo", "demo"), ("test", "test")])
def test_a_lock_pins_what_the_project_asks_for(lock: str, group: str) -> None:
    wanted = [Requirement(line) for line in PROJECT["project"]["dependencies"]] + list_group(group)
    pins = read_lock(lock)
    amiss = [
        str(requirement)
        for requirement in wanted
        if not any(map(requirement.specifier.contains, pins.get(canonicalize_name(requirement.name), ())))
    ]
    assert amiss == []


def test_the_larger_locks_hold_the_smaller_ones() -> None:
    run, demo, test = map(read_lock, ("run", "demo", "test"))
    assert run.items() <= demo.items() <= test.items()


def test_every_pin_has_a_hash() -> None:
    for lock in (ROOT / "requirements").glob("*.txt"):
        pins = re.split(r"(?m)^(?=[a-z0-9-]+(?:\[[a-z0-9,-]+\])?==)", lock.read_text())[1:]
        assert [pin.split()[0] for pin in pins if "--hash=sha256:" not in pin] == []


def test_the_packages_lie_side_by_side_and_every_tool_knows_them() -> None:
    tools = PROJECT["tool"]
    packages = sorted(
        path.parent.name for path in ROOT.glob("*/__init__.py") if path.parent.name not in ASIDE
    )
    assert sorted(tools["hatch"]["build"]["targets"]["wheel"]["packages"]) == packages
    assert sorted(tools["importlinter"]["root_packages"]) == packages
    assert sorted(tools["coverage"]["run"]["source"]) == packages
    assert set(tools["mypy"]["packages"]) >= set(packages)
    assert [package for package in packages if not (ROOT / package / "py.typed").exists()] == []


def test_no_pattern_needs_what_the_regular_expressions_of_debian_12_get_wrong() -> None:
    """A possessive repeat of a group, or an atomic one, fails to match in Python 3.11.2 (gh-106052)."""
    odd = re.compile(r"\)(?:[*+?]|\{[0-9,]+\})\+|" + re.escape("(?" + ">"))
    patterns = [
        path for path in list_files("*.py") if path.parts[-2] not in ASIDE and "tests" not in path.parts
    ]
    assert [path.name for path in patterns if odd.search(path.read_text())] == []


def test_no_folder_of_the_program_or_the_tests_is_crowded() -> None:
    modules = Counter(
        path.parent.relative_to(ROOT).as_posix()
        for path in list_files("*.py")
        if path.name != "__init__.py" and path.parent.name != "versions"
    )
    assert {folder: count for folder, count in modules.items() if count > MOST_MODULES} == {}


def test_the_map_shows_the_rooms_there_are() -> None:
    drawn = re.findall(r"(?m)^([a-z]+)/  .*\n((?:  [a-z].*\n)?)", (ROOT / "CONTRIBUTING.md").read_text())
    shown = {folder: set(rooms.split()) for folder, rooms in drawn if folder != "tests"}
    assert shown == {
        package: {path.parent.name for path in list_files(f"{package}/*/__init__.py")}
        for package in PROJECT["tool"]["importlinter"]["root_packages"]
    }
