# SPDX-License-Identifier: AGPL-3.0-or-later
"""Single values that survive a restart."""

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from storage.models.base import Base


class Fact(Base):
    """A single value that must survive a restart, such as the sync token."""

    __tablename__ = "fact"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(Text)
