# SPDX-License-Identifier: AGPL-3.0-or-later
"""What sections have in common; each field is one key, and its description says what is missing."""

import datetime as dt
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from helproom.config.values import Name

SHORTEST_PAUSE = dt.timedelta(seconds=1)

Line = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]
MailboxName = Annotated[Name, Field(max_length=32)]
Port = Annotated[int, Field(ge=1, le=65535, strict=True)]


def check_pause(pause: dt.timedelta) -> dt.timedelta:
    """Return a pause that is long enough; raises ValueError."""
    if pause < SHORTEST_PAUSE:
        raise ValueError("This must be at least 1s.")
    return pause


class Section(BaseModel):
    """What all sections share: unknown keys are errors, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
