# SPDX-License-Identifier: AGPL-3.0-or-later
"""How answers leave."""

import datetime as dt
from typing import Annotated

from pydantic import AfterValidator, Field

from desk.config import RepliesConfig
from helproom.config.sections.section import Section
from helproom.config.values import Duration, Language, Name, Size

LARGEST_FILES = 15_000_000
"""With an answer: in base64, encrypted and armored they make a mail that other servers still take."""
LONGEST_HOLD = dt.timedelta(hours=1)


def _short(hold: dt.timedelta) -> dt.timedelta:
    if hold > LONGEST_HOLD:
        raise ValueError("An answer waits for an hour at most.")
    return hold


class RepliesSection(Section):
    """How answers leave."""

    hold: Annotated[Duration, AfterValidator(_short)] = dt.timedelta(seconds=60)
    first_answer: Name | None = None
    most_first_answers: Annotated[int, Field(ge=1, strict=True)] = 60
    most_files: Annotated[int, Field(ge=0, le=20, strict=True)] = 5
    files_size: Annotated[Size, Field(ge=10_000, le=LARGEST_FILES)] = 10_000_000
    fallback_languages: tuple[Language, ...] = ("en",)
    variables: dict[Name, str] = Field(default_factory=dict)

    def to_desk(self) -> RepliesConfig:
        """Return what the desk has to know of answers: a field for each key."""
        return RepliesConfig(**dict(self))
