# SPDX-License-Identifier: AGPL-3.0-or-later
"""Named queries on templates."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from storage.models import Template, TemplateVariant
from storage.queries.base import Queries


class Templates(Queries):
    """Templates with their language variants."""

    async def every(self) -> Sequence[Template]:
        """Return all templates by name."""
        query = select(Template).options(selectinload(Template.variants)).order_by(Template.name)
        return (await self._session.scalars(query)).all()

    async def by_name(self, name: str) -> Template | None:
        """Return one template, whatever the case of the letters of its name."""
        query = (
            select(Template).where(Template.name == name.casefold()).options(selectinload(Template.variants))
        )
        return await self._session.scalar(query)

    async def write(self, name: str, language: str, text: str) -> Template:
        """Write a variant: add the template when it is new, replace the text when the variant is there."""
        template = await self.by_name(name)
        if template is None:
            template = Template(name=name.casefold(), variants=[])
            self._session.add(template)
        for variant in template.variants:
            if variant.language == language:
                variant.text = text
                break
        else:
            template.variants.append(TemplateVariant(language=language, text=text))
        await self._session.flush()
        return template

    async def remove(self, template: Template, language: str | None) -> None:
        """Remove one variant, or the whole template when `language` is None or nothing else is left."""
        rest = [each for each in template.variants if language is not None and each.language != language]
        if rest:
            template.variants = rest
        else:
            await self._session.delete(template)
        await self._session.flush()
