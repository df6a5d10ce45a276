# SPDX-License-Identifier: AGPL-3.0-or-later
"""Turns pydantic's errors into sentences that a sysadmin understands, none with the value in it."""

import difflib
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from helproom.config.configfile import ConfigProblem, ConfigText, Place, dotted

SECRETS = {
    "password": "password_file",
    "database_password": "database_password_file",
    "access_token": "access_token_file",
    "token": "access_token_file",
    "api_key": "api_key_file",
    "key": "api_key_file",
    "passphrase": "passphrase_file",
    "master_key": "master_key_file",
}
_SENTENCES = {
    "string_type": "A text is expected here; put quotes around it.",
    "string_too_short": "There must be something here.",
    "string_too_long": "This is too long.",
    "string_pattern_mismatch": "One line of text is expected.",
    "bool_type": "Say true or false.",
    "int_type": "A whole number is expected.",
    "tuple_type": "A list is expected: each item on a line of its own after a dash, or in square brackets.",
    "dict_type": "Keys and values are expected here, indented.",
    "model_type": "This is a section: its keys follow, indented.",
    "model_attributes_type": "This is a section: its keys follow, indented.",
    "literal_error": "This can be {expected}.",
    "greater_than_equal": "This must be at least {ge}.",
    "less_than_equal": "This must be at most {le}.",
    "too_short": "The list must not be empty.",
}


def explain(trouble: ValidationError, text: ConfigText, root: type[BaseModel]) -> Iterator[ConfigProblem]:
    """Give a problem with line and key for each of pydantic's errors."""
    for error in trouble.errors(include_url=False, include_input=False):
        place = _place(error["loc"])
        if error["type"] == "too_short" and _at(text.values, place):
            continue  # pydantic does not count the items that are wrong
        yield ConfigProblem(text.line_of(place), dotted(place), _sentence(error, place, root))


def _place(location: tuple[int | str, ...]) -> Place:
    # Before a mapping's wrong key pydantic puts a marker of its own.
    return tuple(step for step in location if step != "[key]")


def _at(values: Any, place: Place) -> Any:
    for step in place:
        values = values[step]
    return values


def _sentence(error: ErrorDetails, place: Place, root: type[BaseModel]) -> str:
    context = error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            return _unknown(str(place[-1]), _model_at(root, place[:-1]))
        case "missing":
            return f"This key is missing: {_description(_model_at(root, place[:-1]), str(place[-1]))}."
        case "value_error":
            return str(context["error"])
        case kind:
            return _SENTENCES.get(kind, f"{error['msg']}.").format(**context)


def _unknown(key: str, model: type[BaseModel] | None) -> str:
    known = [field.alias or name for name, field in model.model_fields.items()] if model else []
    if SECRETS.get(key) in known:
        return (
            "Secrets never stand in this file: put it into a file of its own (chmod 600) "
            f"and name that file with {SECRETS[key]}."
        )
    close = difflib.get_close_matches(key, known, n=1)
    if close:
        return f"There is no such key; did you mean {close[0]}?"
    return f"There is no such key here; there are {', '.join(known)}." if known else "There is no such key."


def _description(model: type[BaseModel] | None, key: str) -> str:
    for name, field in model.model_fields.items() if model else ():
        if key == (field.alias or name) and field.description:
            return field.description
    return "it has no default"


def _model_at(model: type[BaseModel], place: Place) -> type[BaseModel] | None:
    """Return the section that stands at a place of the config."""
    found: type[BaseModel] | None = model
    for step in place:
        if isinstance(step, str) and found is not None:
            found = _model_in(found, step)
    return found


def _model_in(model: type[BaseModel], key: str) -> type[BaseModel] | None:
    for name, field in model.model_fields.items():
        if key == (field.alias or name):
            annotations = (field.annotation, *get_args(field.annotation))
            kinds = [kind for kind in annotations if isinstance(kind, type)]
            return next((kind for kind in kinds if issubclass(kind, BaseModel)), None)
    return None
