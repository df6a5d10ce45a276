# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reads config.yaml into plain values and remembers on which line each key stands."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

Place = tuple[str | int, ...]
"""The way to a value: keys and positions of lists."""

_TAG = "tag:yaml.org,2002:"
_PLAIN = frozenset(("str", "int", "float", "bool", "null", "timestamp"))
_DEEPEST = 20


@dataclass(frozen=True)
class ConfigProblem:
    """One thing that is wrong with the config; `line` is 0 when it is about the whole file."""

    line: int
    key: str
    sentence: str


class ConfigTrouble(Exception):
    """The config cannot be used; the text has one line for each problem."""

    exit_code = os.EX_CONFIG

    def __init__(self, file: Path, problems: tuple[ConfigProblem, ...]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line))
        super().__init__("\n".join(_line_of(file, problem) for problem in self.problems))


def _line_of(file: Path, problem: ConfigProblem) -> str:
    where = f"{file}:{problem.line}" if problem.line else str(file)
    return ": ".join(part for part in (where, problem.key, problem.sentence) if part)


@dataclass
class ConfigText:
    """The file's values, and the line of each of them."""

    file: Path
    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[Place, int] = field(default_factory=dict)
    problems: list[ConfigProblem] = field(default_factory=list)

    def line_of(self, place: Place) -> int:
        """Return the line of the value, or of what it should stand in when it is missing."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 0)

    def complain(self, place: Place, sentence: str) -> None:
        """Note a problem of the value at `place`."""
        self.problems.append(ConfigProblem(self.line_of(place), dotted(place), sentence))


def dotted(place: Place) -> str:
    """Write a place as people do: ("queues", 0, "name") is "queues[1].name"."""
    text = ""
    for step in place:
        text += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def read_config_text(file: Path) -> ConfigText:
    """Read the file; keys that stand twice become problems of the result.

    Raises ConfigTrouble when it cannot be read or is no YAML.
    """
    text = ConfigText(file)
    root = _parse(file)
    if root is None:
        raise ConfigTrouble(file, (ConfigProblem(0, "", "The file is empty. `helproom init` writes one."),))
    values = _Reading(text).value(root, ())
    if not isinstance(values, dict):
        raise ConfigTrouble(file, (ConfigProblem(1, "", "The file does not consist of keys and values."),))
    text.values = values
    return text


def _parse(file: Path) -> Node | None:
    try:
        root: Node | None = YAML(typ="safe", pure=True).compose(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        sentence = "There is no such file. `helproom init` writes one; `--config` names another."
    except UnicodeDecodeError:
        sentence = "The file is not UTF-8 text."
    except OSError as error:
        sentence = f"The file cannot be read: {error.strerror}."
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise ConfigTrouble(file, (ConfigProblem(line, "", f"This is no YAML: {error.problem}."),)) from None
    except YAMLError:
        sentence = "This is no YAML."
    else:
        return root
    raise ConfigTrouble(file, (ConfigProblem(0, "", sentence),))


class _Reading:
    """Turns nodes into values. Only plain ones: a tag that would make an object is a problem."""

    def __init__(self, text: ConfigText) -> None:
        self._text = text

    def value(self, node: Node, place: Place) -> Any:
        """Return the node's value and note its line and its problems."""
        self._text.lines.setdefault(place, node.start_mark.line + 1)
        if len(place) > _DEEPEST:
            self._text.complain(place, "This is nested too deeply.")
            return None
        if isinstance(node, MappingNode):
            return self._mapping(node, place)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*place, number)) for number, item in enumerate(node.value)]
        return self._scalar(node, place)

    def _mapping(self, node: MappingNode, place: Place) -> Mapping[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            here = (*place, key)
            line = key_node.start_mark.line + 1
            if key in found:
                earlier = self._text.lines[here]
                sentence = f"This key stands here for the second time; the first is in line {earlier}."
                self._text.problems.append(ConfigProblem(line, dotted(here), sentence))
                continue
            self._text.lines[here] = line
            found[key] = self.value(value_node, here)
        return found

    def _scalar(self, node: Node, place: Place) -> Any:
        tag = str(node.tag)
        text = str(node.value)
        if tag.removeprefix(_TAG) not in _PLAIN:
            self._text.complain(place, "Tags with an exclamation mark are not understood here.")
            return None
        match tag.removeprefix(_TAG):
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int":
                return _whole_number(text)
            case _:
                # Times, dates and fractions have no place in our config: what reads it knows what to expect.
                return text


def _whole_number(text: str) -> int | str:
    try:
        return int(text.replace("_", ""), 10)
    except ValueError:
        return text
