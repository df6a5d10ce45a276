# SPDX-License-Identifier: AGPL-3.0-or-later
"""Texts that agents answer with."""

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from storage.models.base import Base


class Template(Base):
    """A text that agents answer with, one variant per language."""

    __tablename__ = "template"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    variants: Mapped[list["TemplateVariant"]] = relationship(
        lazy="raise", cascade="all, delete-orphan", order_by="TemplateVariant.language"
    )


class TemplateVariant(Base):
    """A template's text in one language."""

    __tablename__ = "template_variant"

    template_id: Mapped[int] = mapped_column(ForeignKey("template.id", ondelete="CASCADE"), primary_key=True)
    language: Mapped[str] = mapped_column(String(16), primary_key=True)
    text: Mapped[str] = mapped_column(Text)
