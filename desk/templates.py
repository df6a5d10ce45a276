# SPDX-License-Identifier: AGPL-3.0-or-later
"""Templates: a text with variants by language, and variables that must all be filled."""

import difflib
import re
import string
from collections.abc import Mapping, Sequence

from desk.house import House
from desk.world import Refusal
from storage.models import Template, Ticket
from storage.unit import Unit

_NAME = re.compile(r"[^\W_][\w-]{0,39}")
_PAIR = re.compile(r"([a-z_][a-z0-9_]*)=(\S*)")


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
    texts = {each.language: each.text for each in template.variants}
    for language in languages:
        if language in texts:
            return texts[language]
    raise Refusal(
        f"Template “{template.name}” has no text in {' or '.join(languages)}, only in {', '.join(texts)}."
    )


def chain(language: str, house: House) -> tuple[str, ...]:
    """Return the languages to try: the ticket's, its base ("pt-br" to "pt"), then the house's."""
    return tuple(dict.fromkeys((language, language.split("-", maxsplit=1)[0], *house.fallback_languages)))


def fill(name: str, text: str, values: Mapping[str, str]) -> str:
    """Return the text with its variables filled; raises Refusal naming those that have no value."""
    form = _Braces(text)
    wanted = form.get_identifiers() if form.is_valid() else None
    if wanted is None:
        raise Refusal(f"Template “{name}” has a brace that is no variable: write {{{{ for a brace.")
    empty = [each for each in wanted if not values.get(each)]
    if empty:
        missing = " ".join(f"{each}=…" for each in empty)
        raise Refusal(f"Template “{name}” needs a value for {', '.join(empty)}: `!reply {name} {missing}`")
    return form.substitute(values)


async def expand(unit: Unit, house: House, ticket: Ticket, text: str) -> str:
    """Return what `!reply` is to send: the words as typed, or the template that the first line names."""
    first, _, below = text.partition("\n")
    name, *pairs = first.split() or [""]
    given = [_PAIR.fullmatch(pair) for pair in pairs]
    template = await unit.templates.by_name(name) if all(given) else None
    if template is None:
        if pairs and all(given):
            await existing(unit, name)
        return text
    values = {**house.variables, **_of_ticket(house, ticket), **{each[1]: each[2] for each in given if each}}
    filled = fill(template.name, variant(template, chain(ticket.language, house)), values)
    return f"{filled}\n\n{below.strip()}" if below.strip() else filled


def _of_ticket(house: House, ticket: Ticket) -> dict[str, str]:
    """Only what is no secret of a confidential ticket."""
    return {
        "ticket": str(ticket.id),
        "version": ticket.tails_version or "",
        "role": house.queue(ticket.mailbox).role_name,
    }
