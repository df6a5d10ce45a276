# SPDX-License-Identifier: AGPL-3.0-or-later
"""Templates: a text with variants by language, and variables that must all be filled."""

import difflib
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from desk.config import DeskConfig
from desk.context import Work
from desk.world import Refusal
from storage.models import Template, Ticket
from storage.unit import Unit

_NAME = re.compile(r"[^\W_][\w-]{0,39}")
_PAIR = re.compile(
    r"""\s+(?P<name>[a-z_][a-z0-9_]*)=(?P<value>"[^"]*"|“[^”]*”|[^\s"“]\S*|)(?=\s|$)""", re.IGNORECASE
)
_PAIR_BEGINS = re.compile(r"[a-z_][a-z0-9_]*=", re.IGNORECASE)


_OPENING = ('"', "“")
SIGNATURE_TEMPLATE = "signature"
"""The template that agents write it in; without it, nothing stands there."""


@dataclass(frozen=True)
class TemplateCall:
    """How somebody asked for a template: the command, as it has to be said there, and the values given."""

    command: str = "!reply"
    given: Mapping[str, str] = field(default_factory=dict)


class _Braces(string.Template):
    """`{name}`; `{{` is a brace."""

    delimiter = "{"
    pattern = r"""
    \{(?:
      (?P<escaped>\{) |
      (?P<named>[a-z_][a-z0-9_]*)\} |
      (?P<braced>(?!))|
      (?P<invalid>)
    )
    """  # type: ignore[assignment]  # string.Template compiles it


def template_name(word: str) -> str:
    """Return a template's name as stored; raises Refusal when the word cannot be one."""
    name = word.casefold()
    if not _NAME.fullmatch(name):
        raise Refusal(f"“{word[:40]}” cannot name a template: use letters, digits and - inside, at most 40.")
    return name


async def existing(unit: Unit, word: str) -> Template:
    """Return a template; raises Refusal with the nearest name when there is none."""
    found = await unit.templates.by_name(word)
    if found is None:
        names = [each.name for each in await unit.templates.every()]
        near = difflib.get_close_matches(word.casefold(), names, n=1)
        hint = f" Did you mean “{near[0]}”?" if near else " `!template list` shows all."
        raise Refusal(f"There is no template “{word[:40]}”.{hint}")
    return found


def variant(template: Template, languages: Sequence[str]) -> str:
    """Return the text in the first language that has one; raises Refusal when none has."""
    found = _first_of(template, languages)
    if found is None:
        known = ", ".join(each.language for each in template.variants)
        raise Refusal(f"Template “{template.name}” has no text in {' or '.join(languages)}, only in {known}.")
    return found


def _first_of(template: Template, languages: Sequence[str]) -> str | None:
    texts = {each.language: each.text for each in template.variants}
    return next((texts[language] for language in languages if language in texts), None)


def chain(language: str, config: DeskConfig) -> tuple[str, ...]:
    """Return the languages to try: the ticket's, its base ("pt-br" to "pt"), then the house's."""
    return tuple(
        dict.fromkeys((language, language.split("-", maxsplit=1)[0], *config.replies.fallback_languages))
    )


def variables_of(name: str, text: str) -> tuple[str, ...]:
    """Return the variables of a text as they are written; raises Refusal when a brace is no variable."""
    form = _Braces(text)
    if not form.is_valid():
        raise Refusal(f"Template “{name}” has a brace that is no variable: write {{{{ for a brace.")
    return tuple(form.get_identifiers())


def fill(name: str, text: str, values: Mapping[str, str], said: TemplateCall | None = None) -> str:
    """Return the text with its variables filled; raises Refusal with the line that would do.

    `values` go by names in small letters; how a variable is written in the text does not matter.
    """
    said = said or TemplateCall()
    values = {**values, **said.given}
    written = {variable: values.get(variable.casefold(), "") for variable in variables_of(name, text)}
    empty = sorted({variable.casefold() for variable, value in written.items() if not value})
    if empty:
        pairs = [_pair(*each) for each in said.given.items() if each[1]] + [f"{each}=…" for each in empty]
        line = " ".join((said.command, name, *pairs))
        raise Refusal(f"Template “{name}” needs a value for {', '.join(empty)}: `{line}`")
    return _Braces(text).substitute(written)


async def expand(work: Work, ticket: Ticket, text: str, command: str = "!reply") -> str:
    """Return what `!reply` is to send: the words as typed, or the template that the first line names.

    `command` is how to say it where it was said. Raises Refusal when that line is neither.
    """
    first, _, below = text.partition("\n")
    name = next(iter(first.split()), "")
    given, stray = _pairs_in(first.lstrip().removeprefix(name))
    template = await work.unit.templates.by_name(name)
    if stray and template and (given or _PAIR_BEGINS.match(stray)):
        raise Refusal(
            f"The first line names the template “{template.name}”, but after it only name=value can stand. "
            "Write your own text on the lines below, or begin with another word."
        )
    if template is None and given and not stray:
        template = await existing(work.unit, name)
    if template is None or stray:
        return text
    wording = variant(template, chain(ticket.language, work.config))
    _refuse_unknown(template.name, wording, given)
    filled = fill(template.name, wording, values_for(work.config, ticket), TemplateCall(command, given))
    return f"{filled}\n\n{below.strip()}" if below.strip() else filled


def _pairs_in(words: str) -> tuple[dict[str, str], str]:
    """Return the name=value pairs at the beginning, and what is left of the words after them."""
    given, at = {}, 0
    while pair := _PAIR.match(words, at):
        value = pair["value"]
        given[pair["name"].casefold()] = value[1:-1] if value.startswith(_OPENING) else value
        at = pair.end()
    return given, words[at:].strip()


def _pair(name: str, value: str) -> str:
    """Return a pair as it can be said again, quoted where it has to be."""
    if not any(char.isspace() for char in value) and not value.startswith(_OPENING):
        return f"{name}={value}"
    return f"{name}=“{value}”" if '"' in value else f'{name}="{value}"'


def _refuse_unknown(name: str, text: str, given: Mapping[str, str]) -> None:
    known = sorted({variable.casefold() for variable in variables_of(name, text)})
    unknown = [variable for variable in given if variable not in known]
    if unknown:
        has = ", ".join(known) or "none"
        raise Refusal(f"Template “{name}” has no variable {', '.join(unknown)}: it has {has}.")


async def house_words(work: Work, ticket: Ticket, name: str, **more: str) -> str | None:
    """Return a template's text in the ticket's language, filled with nothing of the ticket's.

    None when there is no such template, or none in a fitting language. Raises Refusal when a variable in it
    is neither the house's, nor the role, nor in `more`.
    """
    template = await work.unit.templates.by_name(name)
    wording = _first_of(template, chain(ticket.language, work.config)) if template is not None else None
    if wording is None:
        return None
    values = {**work.config.replies.variables, "role": work.config.queue(ticket.mailbox).role_name, **more}
    unknown = [each for each in variables_of(name, wording) if not values.get(each.casefold())]
    if unknown:
        raise Refusal(
            f"The template “{name}” has a variable that nothing fills: {', '.join(unknown)}. "
            f"`!template edit {name}` it first."
        )
    return fill(name, wording, values)


def values_for(config: DeskConfig, ticket: Ticket) -> dict[str, str]:
    """Return the values that need not be given: the house's, and of the ticket what is no secret."""
    return {
        **config.replies.variables,
        "ticket": str(ticket.id),
        "version": ticket.tails_version or "",
        "role": config.queue(ticket.mailbox).role_name,
    }


async def with_signature(work: Work, ticket: Ticket, text: str) -> str:
    """Return the text, the signature below it (RFC 3676, 4.3); raises Refusal when it cannot be filled."""
    wording = await house_words(work, ticket, SIGNATURE_TEMPLATE)
    return text if wording is None else f"{text}\n\n-- \n{wording}"
