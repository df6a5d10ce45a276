# SPDX-License-Identifier: AGPL-3.0-or-later
"""`!template`: the texts that agents answer with."""

from commands.context import Context, Reply
from commands.grammar.declare import Commands
from commands.grammar.words import LanguageCode, Rest
from desk.replies import templates
from desk.tickets.excerpts import head_of, in_file
from desk.world import Refusal

family = Commands()


@family.command("template list", aliases=("t list", "templates"))
async def list_templates(context: Context) -> Reply:
    """List the templates and their languages.

    !template list
    """
    found = await context.unit.templates.every()
    if not found:
        return Reply("There is no template yet. `!template add` makes one.")
    return Reply(
        "\n".join(f"{each.name}: {', '.join(one.language for one in each.variants)}" for each in found)
    )


@family.command("template show", aliases=("t show",))
async def show_template(context: Context, name: str, language: LanguageCode = LanguageCode("")) -> Reply:
    """Show a template's text, in one language or in all.

    !template show wifi
    !template show wifi fr
    """
    template = await templates.existing(context.unit, name)
    if language:
        title, words = f"{template.name} ({language}):", templates.variant(template, [language])
    else:
        title = f"{template.name}:"
        words = "\n\n".join(f"[{each.language}]\n{each.text}" for each in template.variants)
    head = head_of(words, f"template-{template.name}.txt")
    return Reply(f"{title}{in_file(head)}", quote=head.words, file=head.file)


@family.command("template add", aliases=("t add",))
async def add_template(context: Context, name: str, language: LanguageCode, text: Rest) -> Reply:
    """Add a template, or a language to one. {name} in the text is a variable.

    !template add wifi en Hello, your card is known: see {link}.
    """
    stored = templates.template_name(name)
    known = await context.unit.templates.by_name(stored)
    if known is not None and any(each.language == language for each in known.variants):
        raise Refusal(
            f"“{stored}” has a text in {language}: `!template edit {stored} {language} …` changes it."
        )
    templates.variables_of(stored, text)
    await context.unit.templates.write(stored, language, text)
    return Reply(f"Template “{stored}” has a text in {language}.")


@family.command("template edit", aliases=("t edit",))
async def edit_template(context: Context, name: str, language: LanguageCode, text: Rest) -> Reply:
    """Replace a template's text in one language.

    !template edit wifi en Hello, this card works since 6.10.
    """
    template = await templates.existing(context.unit, name)
    templates.variant(template, [language])
    templates.variables_of(template.name, text)
    await context.unit.templates.write(template.name, language, text)
    return Reply(f"Template “{template.name}” has a new text in {language}.")


@family.command("template remove", aliases=("t remove",))
async def remove_template(context: Context, name: str, language: LanguageCode = LanguageCode("")) -> Reply:
    """Remove a template, or its text in one language.

    !template remove wifi fr
    !template remove wifi
    """
    template = await templates.existing(context.unit, name)
    if language:
        templates.variant(template, [language])
    await context.unit.templates.remove(template, language or None)
    return Reply(f"Template “{template.name}”{f' in {language}' if language else ''} is removed.")
